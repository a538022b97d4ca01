"""What the commands say: one line a file on stdout, notes and complaints on stderr, progress on a terminal."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 1.5  # seconds until long work shows how far it is
_bar: ContextVar[Progress | None] = ContextVar("bar", default=None)
_process: ContextVar[bool] = ContextVar("process", default=False)


def complain(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


def report(path: Path) -> None:
    """Say what was written, and how large it is."""
    print(f"{path}, {size(path.stat().st_size)}", flush=True)


def size(count: int) -> str:
    """A number of bytes as it is read.

    Examples
    --------
    >>> size(999), size(12_345), size(4_600_000)
    ('999 B', '12.3 kB', '4.6 MB')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.3g} kB" if count < 1e6 else f"{count / 1e6:.3g} MB"


class Terminated(KeyboardInterrupt):
    """The process is asked to end: what it has begun to write is removed, as after an interrupt."""


def _terminate(*_: Any) -> None:
    raise Terminated


@contextmanager
def own_process() -> Iterator[None]:
    """The process is a command's own: nothing else is in it that an interrupt must leave alive."""
    before = _process.set(True)
    ends = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and threading.current_thread() is threading.main_thread()
    if ends:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ends:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _process.reset(before)


@contextmanager
def deaf() -> Iterator[None]:
    """What runs hears no interrupt until it is done, and writes no file: one ends a command's process at once."""
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # In a shell's background there is no interrupt.
    heard = {number: one for number, one in heard.items() if one in (signal.default_int_handler, _terminate)}
    if not (heard and _process.get() and threading.current_thread() is threading.main_thread()):
        yield
        return
    if bar := _bar.get():
        bar.console.show_cursor(True)
    for number in heard:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def _progress() -> Progress:
    """Bars on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def progress(what: str, total: int) -> Iterator[Any]:
    """A progress bar on a terminal, nothing in a pipe; gives the function that moves it on."""
    with _progress() as bar:
        task, before = bar.add_task(what, total=total), _bar.set(bar)
        try:
            yield lambda: bar.advance(task)
        finally:
            _bar.reset(before)


@contextmanager
def working(what: str) -> Iterator[Callable[..., None]]:
    """Long work, with a bar under that of a command, or one of its own after a while; gives what says how far it is.

    What is said is the part that is done, 0 to 1, and what is done now, if it is another thing: that is shown at once.
    """
    bar = _bar.get() or _progress()
    own, start, task = bar is not _bar.get(), time.monotonic(), None

    def done(part: float, now: str = what) -> None:
        nonlocal task
        if task is None and (now != what or time.monotonic() - start > PATIENCE):
            if own:
                bar.start()
            task = bar.add_task(now, total=100)
            bar.refresh()  # for what holds Python's lock from here
        if task is not None:
            bar.update(task, completed=round(100 * part), description=now)

    try:
        yield done
    finally:
        if task is not None:
            bar.remove_task(task)
        if own:
            bar.stop()
