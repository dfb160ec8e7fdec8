"""Run the command line: `python -m kgenn`, and what the script `kgenn` calls."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process; an interrupt is one line even while modules are imported."""
    try:
        from kgenn.cli import main
    except KeyboardInterrupt:
        eval("None")  # see kgenn.cli.invoke
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    main()


if __name__ == "__main__":
    main()
