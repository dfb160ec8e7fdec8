"""The options that both sides of the comparison with mlGeNN's converters have."""

from __future__ import annotations

import argparse
import resource
from pathlib import Path


def parser_of(description: str | None, network: str) -> argparse.ArgumentParser:
    """Return a parser of the network's file, under this name, the data, the converter and T."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(network, type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("converter", choices=("data-norm", "spike-norm", "few-spike"))
    parser.add_argument("-T", "--timesteps", type=int, required=True, help="K of few-spike")
    return parser


def cpu_seconds() -> float:
    """Return the CPU time so far of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
