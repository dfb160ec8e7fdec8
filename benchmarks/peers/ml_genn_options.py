"""The options that both sides of the comparison with mlGeNN's converters have."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser_of(description: str | None, network: str) -> argparse.ArgumentParser:
    """Return a parser of the network's file, under this name, the data, the converter and T."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(network, type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("converter", choices=("data-norm", "spike-norm", "few-spike"))
    parser.add_argument("-T", "--timesteps", type=int, required=True, help="K of few-spike")
    return parser
