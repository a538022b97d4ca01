"""What rays see through: media that absorb, and have a color and a sheen.

Between two samples a medium's value is taken to run straight, so that what it absorbs is the integral of its
extinction over the values between (pre-integration: Engel et al., Graphics Hardware 2001): the sum is exact however
long the step, no thin shell slips through, and there are no rings and no noise to hide them.
"""

from __future__ import annotations

import math

import numpy as np

from volrender.draw.rays.compiled import inner
from volrender.draw.rays.grids import gradient
from volrender.draw.rays.light import fading, shaded
from volrender.draw.rays.meet import at_t, is_gone, outward
from volrender.draw.rays.scenery import TONES

VISIBLE_DEPTH = 0.7  # optical depth up to which a medium's color is seen
THIN = 1e-7


@inner
def look_up(table, m, v):  # type: ignore[no-untyped-def]
    """A table of medium m between its entries."""
    at = min(max(v, 0.0), 1.0) * (TONES - 1)
    n = min(int(at), TONES - 2)
    return table[m, n] + (table[m, n + 1] - table[m, n]) * (at - n)


@inner
def absorbed(media, m, v0, v1, part):  # type: ignore[no-untyped-def]
    """The mean extinction per mm of medium m over the first part of a way on which the value runs from v0 to v1."""
    to = v0 + part * (v1 - v0)
    if abs(to - v0) < THIN:
        return part * look_up(media.density, m, v0)
    return part * (look_up(media.total, m, to) - look_up(media.total, m, v0)) / (to - v0)


@inner
def segment(scene, notes, o, d, t, to):  # type: ignore[no-untyped-def]
    """The premultiplied color of the media between two places of a ray."""
    media, length = scene.media, to - t
    middle, total = 0.5 * (t + to), 0.0
    red, green, blue = 0.0, 0.0, 0.0
    for m in range(len(media.field)):
        g = media.field[m]
        if not notes.spans[g, 0] <= middle <= notes.spans[g, 1] or is_gone(scene.grids.clips, g, notes, middle):
            continue
        v0 = notes.last[m, 1] if notes.last[m, 0] == t else at_t(scene.grids, g, notes, t)
        v1 = at_t(scene.grids, g, notes, to)
        notes.last[m, 0], notes.last[m, 1] = to, v1
        amount = absorbed(media, m, v0, v1, 1.0) * length
        if amount < THIN:
            continue
        part = seen(media, m, v0, v1, length, amount)
        r, g_, b, amount = color(scene, notes, o, d, m, t + part * length, v0 + part * (v1 - v0), amount, length)
        red, green, blue, total = red + amount * r, green + amount * g_, blue + amount * b, total + amount
    if total < THIN:
        return 0.0, 0.0, 0.0, 0.0
    alpha = 1.0 - fading(total)
    share = alpha / total
    return red * share, green * share, blue * share, alpha


@inner
def seen(media, m, v0, v1, length, amount):  # type: ignore[no-untyped-def]
    """The part of a way after which the middle of what is seen of it lies."""
    wanted = min(0.5 * amount, VISIBLE_DEPTH)
    low, high = 0.0, 1.0
    for _ in range(6):
        part = 0.5 * (low + high)
        if absorbed(media, m, v0, v1, part) * length < wanted:
            low = part
        else:
            high = part
    return 0.5 * (low + high)


@inner
def color(scene, notes, o, d, m, t, v, amount, length):  # type: ignore[no-untyped-def]
    """The color of medium m at t, in its light, and what it absorbs when its steepness is counted in."""
    media, g = scene.media, scene.media.field[m]
    if media.paint[m] >= 0:
        red, green, blue = pigment(scene, notes, m, t)
    else:
        n = int(min(max(v, 0.0), 1.0) * (TONES - 1) + 0.5)
        red, green, blue = media.rgb[m, n, 0], media.rgb[m, n, 1], media.rgb[m, n, 2]
    if media.steep.shape[1] > 1:
        amount = steepened(scene, notes, m, t, amount, length)
    if media.material[m, 1] > 0:
        normal = outward(scene, notes, g, d, t, -1)
        at = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
        eye = (-d[0], -d[1], -d[2])
        red, green, blue = shaded(scene.light, media.material[m], red, green, blue, normal, at, eye)
    return red, green, blue, amount


@inner
def pigment(scene, notes, m, t):  # type: ignore[no-untyped-def]
    """The color that the voxels of medium m themselves have at t, between voxels."""
    g, shape = scene.media.field[m], scene.grids.shape[scene.media.field[m]]
    first, weight = np.empty(3, dtype=np.int64), np.empty(3)
    for a in range(3):
        at = min(max(notes.index[g, a] + t * notes.along[g, a], 0.0), shape[a] - 1.0)
        first[a] = min(int(at), max(shape[a] - 2, 0))
        weight[a] = at - first[a]
    mixed = np.zeros(3)
    for corner in range(8):
        share, place = 1.0, 0
        for a in range(3):
            up = (corner >> a) & 1
            share *= weight[a] if up else 1.0 - weight[a]
            place = place * shape[a] + min(first[a] + up, shape[a] - 1)
        at = scene.media.paint[m] + 3 * place
        for channel in range(3):
            mixed[channel] += share * scene.media.pigments[at + channel]
    return mixed[0] / 255, mixed[1] / 255, mixed[2] / 255


@inner
def steepened(scene, notes, m, t, amount, length):  # type: ignore[no-untyped-def]
    """What is absorbed when opacity has the factor that belongs to the field's steepness at t."""
    g = scene.media.field[m]
    o, d = notes.index[g], notes.along[g]
    x, y, z = gradient(scene.grids, g, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
    steepness, nodes = math.sqrt(x * x + y * y + z * z), scene.media.steep[m]
    factor = nodes[0, 1]
    for n in range(1, len(nodes)):
        if steepness >= nodes[n, 0]:
            factor = nodes[n, 1]
        elif steepness > nodes[n - 1, 0]:
            part = (steepness - nodes[n - 1, 0]) / (nodes[n, 0] - nodes[n - 1, 0])
            factor = nodes[n - 1, 1] + part * (nodes[n, 1] - nodes[n - 1, 1])
    if factor >= 1.0:
        return amount
    return -math.log1p(-factor * (1.0 - fading(amount / length))) * length
