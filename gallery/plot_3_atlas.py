"""
Regions of an atlas
===================

A label map holds names, not amounts, so it is never interpolated and never given a colormap: each label is a closed
surface in a color of its own. The bundled atlas brings its names and colors along.
"""

import volrender as vr

atlas = vr.sample("atlas")
regions = vr.LabelMap(atlas)
outside = vr.Scene(regions, camera="left")
outside

# %%
# A hundred regions at once show only their outside. Give ``colors`` as a mapping and its labels alone are drawn: few
# regions, in colors that stay apart in print and for readers who do not see all hues. The plane removes the right half,
# so that the viewer sees the basal ganglia of the left from the midline.

number = {label.name: n for n, label in atlas.labels.items()}
colors = {"CaH": "#56B4E9", "CaB": "#56B4E9", "Pu": "#0072B2", "GPe": "#E69F00", "GPi": "#D55E00", "NAC": "#009E73"}
chosen = {number[name]: color for name, color in colors.items()}
inside = vr.Scene(vr.LabelMap(atlas, colors=chosen, clip=vr.Plane(x=0)), camera=(15, 20))
inside

# %%
# On slices the same labels are a color overlay, half transparent to leave the T1 readable.

placed = vr.Slices(vr.sample("mni152"), vr.LabelMap(atlas, colors=chosen, opacity=0.6), z=[-8, 0, 8])
placed
