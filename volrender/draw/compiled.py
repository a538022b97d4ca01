"""Compiled loops, kept on disk so that the next process starts at once, and how they are run on every core.

A loop here lets go of Python's lock and writes to its own part of the result, so that plain threads run it: nothing
depends on how many there are, and it is safe after a fork and beside other threads, as numba's own are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache, update_wrapper
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import numba
from numba.core import cgutils, event
from numba.core.caching import NullCache
from numba.core.imputils import impl_ret_untracked
from numba.extending import intrinsic

# A division by 0 is infinite, as in numpy. What only other loops call needs no way in from Python: compiled sooner.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
INSIDE = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

Function = TypeVar("Function", bound=Callable[..., Any])


def inner(function: Function) -> Function:
    """Compile what is called at every step: a part of the loops that call it."""
    compiled: Function = numba.njit(**INSIDE, forceinline=True)(function)
    return compiled


def apart(function: Function) -> Function:
    """Compile what is called now and then: once, by itself."""
    compiled: Function = numba.njit(**INSIDE)(function)
    return compiled


@intrinsic  # type: ignore[untyped-decorator]
def borrowed(typing_context: Any, array: Any) -> Any:
    """An array whose owner is forgotten: nothing counts who uses it, which threads would wait for one another to do.

    Its owner must outlive it, as what a loop is called with does.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        same = context.make_array(array)(context, builder, value=arguments[0])
        same.meminfo = cgutils.get_null_value(same.meminfo.type)
        same.parent = cgutils.get_null_value(same.parent.type)
        return impl_ret_untracked(context, builder, array, same._getvalue())

    return array(array), build


class Loop:
    """A compiled loop with its copy on disk; without one where no folder can be written.

    Numba looks for changes in the loop's own file alone, so the stamp of its copy is made from all files beside it.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        update_wrapper(self, function)
        try:
            self._compiled = numba.njit(**OPTIONS, cache=True)(function)
            self._compiled._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
        except (RuntimeError, OSError, AttributeError):  # no folder for it; other versions of numba
            self._compiled = numba.njit(**OPTIONS)(function)

    @property
    def folder(self) -> str | None:
        """Where its copy is kept."""
        path = getattr(self._compiled._cache, "cache_path", None)
        return None if path is None else str(path)

    def __call__(self, *arguments: Any) -> None:
        """Run it."""
        try:
            self._compiled(*arguments)
        except Exception:  # the copy cannot be written, or is damaged, which the next process mends
            with suppress(Exception):
                self._compiled._cache.flush()
            self._compiled._cache = NullCache()
            self._compiled(*arguments)


class _Compiling(event.Listener):  # type: ignore[misc]
    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell

    def on_start(self, event: Any) -> None:
        """Called by numba."""
        self.tell()

    def on_end(self, event: Any) -> None:
        """Called by numba."""


@contextmanager
def telling(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` whenever something begins to be compiled."""
    with event.install_listener("numba:compile", _Compiling(tell)):
        yield


@cache
def _stamp(folder: Path) -> str:
    files = [Path(__file__), *sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _aside(task: Callable[[], None]) -> None:
    """Run a task that may be compiled, in a thread that an interrupt leaves behind: a compiler does not hear it."""
    done: Future[None] = Future()

    def work() -> None:
        try:
            task()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    Thread(target=work, daemon=True).start()
    while not wait([done], timeout=0.2).done:
        pass
    done.result()


def run(tasks: Iterable[Callable[[], None]], advance: Callable[[], None] = lambda: None) -> None:
    """Run short tasks on every core; an interrupt or an error ends it as soon as those under way are done.

    The first is run by itself, and what it needs compiled in it.

    Parameters
    ----------
    tasks : callables
    advance : callable
        Called in this thread after each task.
    """
    first, rest = next(iter(tasks := iter(tasks)), None), tasks
    if first is not None:
        _aside(first)
        advance()
    pool = ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)
    waiting = {pool.submit(task) for task in rest}
    try:
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
            for future in done:
                future.result()
                advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
