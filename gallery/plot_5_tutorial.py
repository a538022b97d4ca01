"""
The tutorial's three cubes
==========================

The well-known recipe for exploded voxels resizes a head to 50 x 50 x 50, colors each voxel by its value, makes it as
opaque as it is bright and hands all of them to ``Axes3D.voxels``, which takes minutes. Here are its three pictures:
first from the same arrays with the same indices, in plain matplotlib axes, then as one would write them here.
"""

import matplotlib.pyplot as plt
import numpy as np

import volrender as vr

head = vr.sample("mni152").contrast()
small = head.downsize((50, 50, 50)).normalize()

# %%
# An array has no millimetres, so it gets the recipe's own: a voxel is 2 wide, from 2i to 2i + 2.


def plot_cube(cube, azimuth=320):
    figure = plt.figure(figsize=(30 / 2.54, 30 / 2.54))
    ax = figure.add_subplot(projection="3d")
    ax.view_init(30, azimuth)
    ax.set(xlim=(0, 100), ylim=(0, 100), zlim=(0, 100))
    volume = vr.Volume(cube, vr.space.translation(1, 1, 1) @ vr.space.zooms(2, 2, 2))
    layer = vr.Intensity(volume, clim=(0, 1), cmap="viridis", opacity=[(0, 0), (1, 1)])
    vr.Voxels(layer, size=None).draw(ax)


plot_cube(small.data[:, ::-1, :])

# %%
# A part of it, on the same axes: the right side and the top are gone.

plot_cube(small.data[:35, ::-1, :25])

# %%
# A diagonal cut empties every voxel with ``z >= max(x - y + 5, 0)``; it is seen from the other side.

x, y, z = np.indices((50, 50, 50))
plot_cube(np.where(z >= np.maximum(x - y + 5, 0), 0, small.data), azimuth=200)

# %%
# In millimetres the head needs no reversed axis: it faces where its affine says, and keeps its proportions.

look = {"cmap": "viridis", "opacity": [(0, 0), (1, 1)]}
whole = vr.Voxels(vr.Intensity(head, **look), size=50, camera=(30, 50))

# %%
# A clip is a plane whose normal points to what is removed, or a box; of several each removes its own.

opened = vr.Voxels(vr.Intensity(head, clip=(vr.Plane(x=38), vr.Plane(z=18)), **look), size=50, camera=(30, 50))

# %%
# The diagonal is a plane like any other. The upper left front goes; the viewer stands there.

diagonal = vr.Plane(normal=(-1, 1, 1), origin=(0, -20, 0))
behind = vr.Voxels(vr.Intensity(head, clip=diagonal, **look), size=50, camera=(30, 130))
