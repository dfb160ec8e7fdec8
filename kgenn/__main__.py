"""Run the command line as `python -m kgenn`."""

from kgenn.cli import main

main()
