"""
Looks by name
=============

A volume rendering needs a color and an opacity for every value, which takes an afternoon to find. A preset has both,
and adapts them to the volume: to where its background ends, how bright it is, how large, and for CT to its units.
"""

import volrender as vr

head = vr.sample("mni152")
motor = vr.sample("motor")

# %%
# The same T1 as skin, and as tissue through which the brain is seen. The opacity is what one millimetre absorbs, so the
# picture does not depend on the grid.

skin = vr.Intensity(head, preset="mr-head")
tissue = vr.Intensity(head, preset="mr-t1")
looks = vr.Figure([[vr.Scene(skin, camera=(15, 130)), vr.Scene(tissue, camera=(15, 130))]], width="1.5", letters=False)
looks

# %%
# The curve over the values that it rests on tells why: the brain lies where it rises.

curve = vr.Histogram(tissue)
curve

# %%
# A statistical map has two sides and a level. On slices, what is below the level is left out.

findings = vr.preset("stat", motor, level=3.1)
slices = vr.Slices(head, vr.Intensity(motor, preset=findings), z=[20, 50, 70])
slices

# %%
# It is data. It can be changed, kept for 3D Slicer with ``findings.save("findings.vp.json")`` and read again.

print(findings.opacity)
