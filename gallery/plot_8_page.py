"""
A whole page
============

Two columns, 183 mm, at 600 dots per inch: where an activation lies in the head, slice by slice with its border, the
regions it may belong to, and the values of the image it is shown on. The panels share their layers, so colors and
thresholds agree. The legend is written by the figure.
"""

import volrender as vr

head, motor, atlas = vr.sample("mni152"), vr.sample("motor"), vr.sample("atlas")

octant = vr.Box(x=(None, 0), y=(-30, None), z=(0, None))
opened = vr.Intensity(head, clip=octant)
zmap = vr.Intensity(motor, level=3.1, clim=(-8, 8))
left, right = vr.Isosurface(motor, 3.1, color="#b40426"), vr.Isosurface(motor, -3.1, color="#3b4cc0")

# %%
# Two views from one side; the slices below them say what is hidden, and where it is in millimetres.

views = [vr.Scene(opened, left, right, colorbar=False), vr.Scene(vr.LabelMap(atlas), colorbar=False)]
mosaic = vr.Slices(head, zmap, left, right, z=range(-20, 72, 7))
regions = vr.Slices(head, vr.LabelMap(atlas, outline=True), x=-40, y=-25, colorbar=False)

page = vr.Figure([views, [mosaic], [regions, vr.Histogram(opened)]], width="double")
page

# %%
# ``page.save("figure1.png", dpi=600)`` is 4,323 pixels wide and carries its recipe: ``volrender redo figure1.png``
# draws it again. ``page.save("figure1.pdf", dpi=600)`` has the same lettering as text.

print(page.caption())
