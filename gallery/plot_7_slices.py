"""
Slices, and a time course
=========================

Slices say where: each has its position in millimetres, the letters of its sides, and a small view from the side shows
the row. Positions need not be typed: ``n=5`` spreads them over the extent of the finding, one of them at its peak.
"""

import numpy as np
from matplotlib.figure import Figure

import volrender as vr

head = vr.sample("mni152")
motor = vr.sample("motor")
finding = vr.Intensity(motor, level=3.1)

row = vr.Slices(head, finding, n=(0, 0, 5), annotate=vr.Annotation(reference=True))
row

# %%
# Any plane can be cut. This one is tilted back, as scanners often are; the outlines are regions of the atlas. The
# crosshair stands at the point that the plane was given.

tilted = vr.Plane(normal=(0, -0.4, 1), origin=(0, -25, 45))
regions = vr.LabelMap(vr.sample("atlas"), outline=True)
oblique = vr.Slices(head, regions, plane=tilted, colorbar=False, annotate=vr.Annotation(crosshair=True))
oblique

# %%
# Of a 4-D series ``frame(t)`` and ``mean()`` are volumes, and ``timecourse(mask)`` is one number a frame. The series
# here is made up: twenty frames in which the right hand's area comes and goes. A panel draws into a matplotlib
# subfigure.

rest = head.resample_to(motor)
hand = vr.Volume(motor.data < -5, motor.affine, "labels", "left motor cortex")
wave = np.maximum(np.sin(np.arange(20) / 20 * 4 * np.pi), 0)
series = vr.Volume(rest.data[..., None] + 8 * hand.data[..., None] * wave, motor.affine, name="made up")

page = Figure(figsize=(183 / 25.4, 62 / 25.4), dpi=150)
left, right = page.subfigures(1, 2)
vr.Slices(series.mean(), vr.LabelMap(hand, colors="#e69f00", outline=True)).draw(left)
ax = right.add_axes((0.16, 0.24, 0.8, 0.68))
ax.plot(series.timecourse(hand), color="#e69f00")
ax.set_xlabel("frame", fontsize=7)
ax.set_ylabel("mean in the mask", fontsize=7)
ax.tick_params(labelsize=7)
page
