"""Figures for sphinx-gallery: every panel or figure that a code block makes and keeps is drawn under the block.

In ``conf.py``: ``sphinx_gallery_conf = {"image_scrapers": ("volrender.sphinx_scraper.scrape",)}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

from volrender.page import Printable

DPI = 200
_drawn: WeakSet[Printable] = WeakSet()  # a variable outlives its block: it is drawn once


def scrape(block: Any, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Draw what is new among the block's variables, its last expression too; the reST that shows the pictures."""
    from sphinx_gallery.scrapers import figure_rst

    paths = []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Printable) and value not in _drawn:
            path = Path(next(block_vars["image_path_iterator"])).with_suffix(".png")
            value.save(path, dpi=DPI)
            _drawn.add(value)
            paths.append(str(path))
    return str(figure_rst(paths, gallery_conf["src_dir"]))
