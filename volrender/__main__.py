"""The command `volrender`, also as `python -m volrender`: where it cannot even start, that is one sentence too."""

from __future__ import annotations

import sys

from volrender.console import complain


def main() -> int:
    """Run the command line; the exit code."""
    try:
        from volrender import cli
    except OSError as error:  # matplotlib needs a folder that it can write to
        complain(f"volrender: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
