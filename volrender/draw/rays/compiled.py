"""Compiled loops, kept on disk so that the next process starts at once, and how they are run on every core.

A loop here lets go of Python's lock and writes to its own part of the result, so that plain threads run it: nothing
depends on how many there are, and it is safe after a fork and beside other threads, as numba's own are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import NullCache

Function = TypeVar("Function", bound=Callable[..., Any])


def inner(function: Function) -> Function:
    """Compile what is called by compiled loops alone."""
    compiled: Function = numba.njit(nogil=True)(function)
    return compiled


class Loop:
    """A compiled loop with its copy on disk; without one where no folder can be written.

    Numba looks for changes in the loop's own file alone, so the stamp of its copy is made from all of the package's.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        update_wrapper(self, function)
        try:
            self._compiled = numba.njit(nogil=True, cache=True)(function)
            self._compiled._cache._cache_file._source_stamp = _stamp()
        except (RuntimeError, OSError, AttributeError):  # no folder for it; other versions of numba
            self._compiled = numba.njit(nogil=True)(function)

    def __call__(self, *arguments: Any) -> None:
        """Run it."""
        try:
            self._compiled(*arguments)
        except (OSError, EOFError, ImportError, AttributeError):  # the copy cannot be written, or read
            self._compiled._cache = NullCache()
            self._compiled(*arguments)


@cache
def _stamp() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def run(tasks: Iterable[Callable[[], None]], advance: Callable[[], None] = lambda: None) -> None:
    """Run short tasks on every core; an interrupt or an error ends it as soon as those under way are done.

    Parameters
    ----------
    tasks : callables
    advance : callable
        Called in this thread after each task.
    """
    pool = ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)
    waiting = {pool.submit(task) for task in tasks}
    try:
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
            for future in done:
                future.result()
                advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
