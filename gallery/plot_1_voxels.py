"""
A head as exploded voxels
=========================

A cube per voxel, translucent where the value is low: the reader sees at once that the picture is made of measurements.
It works only with some contrast, because a raw T1 is mostly noise in the air and mid-gray in the head. ``contrast``
cuts the noise floor, lifts the dark tones and stretches the rest to 0..1.
"""

import volrender as vr

head = vr.sample("mni152").contrast()

# %%
# Fifty cubes along the longest side are few enough to be seen one by one and enough for the face. The bounds stay, so
# the cubes are 4.6 mm wide and the head keeps its proportions.

whole = vr.Voxels(vr.Intensity(head, cmap="viridis"), size=50, camera=(30, 50))
whole

# %%
# What is inside shows when something is taken away. A clip is given in millimetres, not in indices: the same box fits
# this head at any resolution, and any other layer of the picture. Here the right anterior superior octant goes.

octant = vr.Box(x=(0, None), y=(0, None), z=(0, None))
opened = vr.Voxels(vr.Intensity(head, cmap="viridis", clip=octant), size=50, camera=(30, 50))
opened

# %%
# A plane removes the side that its normal points to, in any direction. This one takes the left posterior half; the
# viewer stands behind it.

diagonal = vr.Plane(normal=(-1, -1, 0), origin=(0, -20, 0))
behind = vr.Voxels(vr.Intensity(head, cmap="viridis", clip=diagonal), size=50, camera=(30, 225))
behind
