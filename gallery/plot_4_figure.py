"""
A page for a journal
====================

A journal gives a width in millimetres and asks for type that can be read at that width. So the page is set at the size
in which it is printed: 183 mm here, 7-point type, letters on the panels. A picture scaled afterwards keeps neither.
"""

import volrender as vr

head = vr.sample("mni152")
motor = vr.sample("motor")

# %%
# Panel a measures: slices at stated positions, with the z-map where it exceeds 3.1 on either side of zero and a color
# bar that says so. Panel b shows where that is in the head, in the blue of the bar's lower end.

zmap = vr.Intensity(motor, level=3.1, clim=(-8, 8))
corner = vr.Box(x=(None, 0), y=(-30, None), z=(20, None))
panels = [
    vr.Slices(head, zmap, z=[30, 50, 60]),
    vr.Scene(vr.Intensity(head, clip=corner), vr.Isosurface(motor, level=-3.1, color="#3b4cc0")),
]

# %%
# ``page.save("figure1.pdf", dpi=600)`` writes vector type around a raster of the scene, rendered at exactly the pixels
# that its place on the page has at 600 dpi. ``.svg`` and ``.png`` do the same; a PNG carries its resolution.

page = vr.Figure([panels], width="double")
page
