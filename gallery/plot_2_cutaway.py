"""
A finding inside the head
=========================

Where an activation lies is told best by what is around it. A corner of the head is removed, the cut faces show the T1
as slices would, and the finding stands in the opening, whole.
"""

import volrender as vr

head = vr.sample("mni152")
motor = vr.sample("motor")

# %%
# The z-map compares left with right button presses and has two signs, so it is two isosurfaces. It lies on another
# grid and is stored left-handed; nothing needs to be done about either, because every layer is drawn where its own
# affine puts it. Only the head is clipped: what is left of the midline, above the commissures and before y = -30 mm,
# just behind the hand area of the motor cortex.

corner = vr.Box(x=(None, 0), y=(-30, None), z=(0, None))
body = vr.Intensity(head, clip=corner)
left_hand = vr.Isosurface(motor, level=3.1, color="orangered")
right_hand = vr.Isosurface(motor, level=-3.1, color="royalblue")

# %%
# The camera stands where the opening is: in front, to the left, a little above. The body has one tone, so the color in
# the picture is the finding.

cutaway = vr.Scene(body, left_hand, right_hand, camera=(25, 150))
cutaway

# %%
# The same three layers on slices check what the 3-D view suggests: same colors, same places.

check = vr.Slices(head, left_hand, right_hand, z=[20, 50, 70])
check
