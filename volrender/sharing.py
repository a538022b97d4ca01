"""What several panels would each say: equal color bars, and legends that are mostly alike, stand beside them once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from volrender.draw.sidebar import Bar, Entry, Key
from volrender.panel import Panel, same_bar


def shared(panels: Sequence[Panel]) -> Key:
    """The color bars that two panels or more would show, and the legend of those whose legends are mostly alike."""
    keys = [panel.key for panel in panels]
    return Key(_repeated([bar for key in keys for bar in key.bars]), _joined([key.entries for key in keys]))


def on_page(panel: Panel, background: Any, *keys: Key) -> Panel:
    """The panel as it lies on a page of a background, without the color bars and the legend that stand elsewhere."""
    bars, entries = [bar for key in keys for bar in key.bars], [entry for key in keys for entry in key.entries]
    if not bars and not entries and panel.background == background:
        return panel
    bare = copy(panel)
    bare.elsewhere, bare.paper = Key(bars, entries), background
    return bare


def _repeated(bars: Sequence[Bar]) -> list[Bar]:
    firsts = [bar for n, bar in enumerate(bars) if not any(same_bar(bar, other) for other in bars[:n])]
    return [bar for bar in firsts if sum(same_bar(bar, other) for other in bars) > 1]


def _joined(legends: Sequence[Sequence[Entry]]) -> list[Entry]:
    """The first legend with what others add of which more than half is in it; none if there are no such others.

    Legends in which a name has two colors stay apart.
    """
    for n, first in enumerate(legends):
        union, count = dict(first), 1
        for other in legends[n + 1 :]:
            alike = sum(union.get(name) == tone for name, tone in other)
            if 2 * alike > len(other) and not any(union.get(name, tone) != tone for name, tone in other):
                union.update(other)
                count += 1
        if count > 1:
            return list(union.items())
    return []
