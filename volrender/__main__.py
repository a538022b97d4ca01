"""The command `volrender`, also as `python -m volrender`: where it cannot even start, that is one sentence too."""

from __future__ import annotations

import os
import sys

from volrender.console import complain, own_process

INTERRUPTED = 130


def main() -> int:
    """Run the command line; the exit code."""
    try:
        from volrender import cli
    except OSError as error:  # matplotlib needs a folder that it can write to
        complain(f"volrender: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return INTERRUPTED
    with own_process():
        code = cli.main()
    if code == INTERRUPTED:  # what cannot hear it, as a compiler, is not waited for
        sys.stdout.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
