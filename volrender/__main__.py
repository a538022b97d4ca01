"""The command `volrender`, also as `python -m volrender`: where it cannot even start, that is one sentence too."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

from volrender.console import complain, own_process

INTERRUPTED, TERMINATED = 130, 143
SETTINGS = "MPLCONFIGDIR"  # of matplotlib: it does not start without a folder that it can write to
MEMORY = Path("/dev/shm")
UNWRITABLE = (
    "no folder can be written to, neither in the home folder nor for temporary files: "
    f"set {SETTINGS}, which matplotlib needs, to one that can"
)


def main() -> int:
    """Run the command line; the exit code."""
    _keep_in_memory()
    try:
        from volrender import cli
    except OSError as error:
        complain(f"volrender: {UNWRITABLE if SETTINGS in str(error) else ' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return INTERRUPTED
    with own_process():
        code = cli.main()
    if code in (INTERRUPTED, TERMINATED):  # what cannot hear it, as a compiler, is not waited for
        sys.stdout.flush()
        os._exit(code)
    return code


def _keep_in_memory() -> None:
    """Where nothing can be written to disk, let matplotlib write to memory as long as the process lives."""
    if SETTINGS in os.environ:
        return
    try:
        tempfile.gettempdir()
    except OSError:
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it says the same in words of its own
        try:
            folder = tempfile.mkdtemp(prefix="volrender-", dir=MEMORY)
        except OSError:
            return
        os.environ[SETTINGS] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
