"""Run the command line: `python -m kgenn`, and what the script `kgenn` calls."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process; an interrupt is one line even while modules are imported."""
    try:
        from kgenn.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(130)  # see kgenn.cli.main
    main()


if __name__ == "__main__":
    main()
