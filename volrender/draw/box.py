"""The box around cubes: where world points lie on paper, and the numbers and names along three of its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from volrender import space
from volrender.draw.annotate import INK, MM_PER_INCH, Frame, nice_ticks

WORDS = ("{0}  ←  {1} (mm)  →  {2}", "{0} ← {1} → {2}", "{0}←{1}→{2}", "{0} {1} {2}")  # along an edge, as there is room


def margins(frame: Frame, camera: space.Camera, lettered: bool) -> tuple[float, float, float, float]:
    """Paper (mm) left, right, above and below the box, for the numbers and names along its edges."""
    line = frame.line_height
    sides = np.full(4, 0.5 * line if lettered else 0.5)
    for w in range(3) if lettered else ():
        if (edge := _edge_directions(camera, w)) is not None:
            _, (right, up) = edge
            # A tick, a number as wide as "−000" and the name, as `Edges` sets them.
            across = 1.1 + abs(right) * frame.text_width("−000") + abs(up) * line / 1.3 + 1.05 * line
            sides = np.maximum(sides, across * np.array([-right, right, up, -up]) + 0.15 * line)
    left, right, top, bottom = sides.tolist()
    return left, right, top, bottom


def _edge_directions(camera: space.Camera, w: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Along the box's edges of one world axis on paper, and out from it to where its numbers stand: down, or left for
    upright edges; None where the edge is seen nearly end on.
    """
    along = camera.axes[:2, w]
    length = float(np.hypot(*along))
    if length < 0.3:
        return None
    along = along / length
    out = np.array([along[1], -along[0]])
    level = abs(along[0]) > 0.4
    return along, -out if (out[1] > 0 if level else out[0] > 0) else out


def on_paper(ax: Any, frame: Frame, points_xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where world points lie in the frame, mm, as mplot3d draws them."""
    ax.apply_aspect()
    homogeneous = np.concatenate([points_xyz, np.ones_like(points_xyz[..., :1])], axis=-1) @ ax.get_proj().T
    pixels = ax.transData.transform((homogeneous[..., :2] / homogeneous[..., 3:]).reshape(-1, 2))
    origin = frame.figure.bbox.min
    paper = (pixels - origin) * MM_PER_INCH / frame.figure.dpi - [frame.x, frame.y]
    return np.asarray(paper.reshape(*points_xyz.shape[:-1], 2))


def pane(ax: Any, frame: Frame, bounds: NDArray[np.float64]) -> None:
    """Leave of mplot3d's own axes the panes and their grid; numbers and names are ours."""
    wall, grid = ((0.97,) * 3, "0.85") if frame.ink == INK else ((0.12,) * 3, "0.3")
    for axis, ends in zip((ax.xaxis, ax.yaxis, ax.zaxis), bounds):
        ticks = nice_ticks(ends[0], ends[1])
        axis.set_ticks(ticks, [""] * len(ticks))
        axis.set_pane_color((*wall, 1.0))
        axis.line.set_visible(False)
        axis._axinfo["grid"].update(linewidth=0.3, color=grid)
        axis._axinfo["tick"].update(inward_factor=0.0, outward_factor=0.0)


class Edges:
    """Numbers and names along three edges of the box: the outermost at the bottom, and at the left for upright ones."""

    def __init__(self, ax: Any, frame: Frame, bounds: NDArray[np.float64], camera: space.Camera) -> None:
        self.frame = frame
        self.bounds = bounds
        self.canvas = frame.canvas()
        self.camera = camera
        self.ax = ax
        self.center = self.place(bounds.mean(axis=1))

    def place(self, points_xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where world points lie on paper."""
        return on_paper(self.ax, self.frame, points_xyz)

    def draw(self) -> None:
        """Draw each edge that is not seen end on."""
        edges = {w: found for w in range(3) if (found := self._edge(w)) is not None}
        # The longest words that all edges have room for: one axis says no more than another.
        words = next(
            (text for text in WORDS if all(self._fits(text, w, paper) for w, (_, paper, *_) in edges.items())),
            WORDS[-1],
        )
        for w, (ends, paper, along, out) in edges.items():
            self._line(paper)
            reach = self._numbers(w, ends, out, paper)
            self._name(words, w, paper, along, out, reach)

    def _fits(self, words: str, w: int, paper: NDArray[np.float64]) -> bool:
        text = words.format("L", space.AXES[w], "R")
        return bool(self.frame.text_width(text) <= 0.9 * np.hypot(*(paper[1] - paper[0])))

    def _edge(self, w: int) -> tuple[NDArray[np.float64], ...] | None:
        """The ends of the edge that is lettered, in the world and on paper, along it, and out from it."""
        others = [a for a in range(3) if a != w]
        ends = np.empty((4, 2, 3))
        ends[:, :, w] = self.bounds[w]
        for n, (a, b) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            ends[n, :, others[0]] = self.bounds[others[0], a]
            ends[n, :, others[1]] = self.bounds[others[1], b]
        directions = _edge_directions(self.camera, w)
        if directions is None:
            return None
        along, out = directions
        paper = self.place(ends)
        best = int(np.argmax(np.round((paper.mean(axis=1) - self.center) @ out, 6)))
        return ends[best], paper[best], along, out

    def _line(self, ends: NDArray[np.float64]) -> None:
        self.canvas.add_line(Line2D(ends[:, 0], ends[:, 1], color=self.frame.ink, linewidth=0.6))

    def _numbers(
        self, w: int, ends: NDArray[np.float64], out: NDArray[np.float64], paper: NDArray[np.float64]
    ) -> float:
        """Ticks and their numbers; how far out (mm) they reach. Near a corner there would be another axis's."""
        size, length = self.frame.font_size - 1, float(np.hypot(*(paper[1] - paper[0])))
        count = max(1, min(5, int(length / (2 * self.frame.line_height))))
        ticks = nice_ticks(self.bounds[w, 0], self.bounds[w, 1], count)
        points = np.repeat(ends[:1], len(ticks), axis=0)
        points[:, w] = ticks
        reach = 1.0
        spots = self.place(points)
        clear = np.minimum(*(np.hypot(*(spots - end).T) for end in paper)) > 1.2 * self.frame.line_height
        shown = clear if clear.any() else np.ones_like(clear)
        for value, spot in zip(np.array(ticks)[shown].tolist(), spots[shown]):
            text = f"{value:g}".replace("-", "−")
            half = np.array([self.frame.text_width(text) / 2, self.frame.line_height / 2.6])
            offset = 1.1 + float(np.abs(out) @ half)
            self.canvas.add_line(
                Line2D(*np.stack([spot, spot + 0.8 * out], axis=-1), color=self.frame.ink, linewidth=0.6)
            )
            middle = spot + offset * out
            self.canvas.text(middle[0], middle[1], text, ha="center", va="center", fontsize=size, color=self.frame.ink)
            reach = max(reach, offset + float(np.abs(out) @ half))
        return reach

    def _name(
        self,
        words: str,
        w: int,
        ends: NDArray[np.float64],
        along: NDArray[np.float64],
        out: NDArray[np.float64],
        reach: float,
    ) -> None:
        """The axis and where it runs to, written along the edge."""
        low, high = ("LR", "PA", "IS")[w]
        rightward = along[0] > 0 if abs(along[0]) > 1e-6 else along[1] > 0
        first, last = (low, high) if rightward else (high, low)
        text = words.format(first, space.AXES[w], last)
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        angle = (angle + 90) % 180 - 90 if abs(along[0]) > 1e-6 else 90.0
        spot = ends.mean(axis=0) + (reach + 0.55 * self.frame.line_height) * out
        style: dict[str, Any] = {
            "rotation": angle,
            "rotation_mode": "anchor",
            "fontsize": self.frame.font_size,
            "color": self.frame.ink,
        }
        self.canvas.text(spot[0], spot[1], text, ha="center", va="center", **style)
