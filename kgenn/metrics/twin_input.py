"""The inputs of the quantised twin: what the network's own input tells apart, and no more.

An analog input has the values of the direct encoder's grid, which the network multiplies too. An encoder that
sends T steps of spikes says one of some levels L, so that the twin's input is an activation of as many bits::

    a = round(x · n)        n = min(2^⌈log₂(L + 1)⌉ − 1, the levels of the encoder itself)

with x in −1 … 1, and a further bit where x can be negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network


@dataclass(frozen=True, eq=False)
class TwinInput:
    """The values of one input: integers in float64, shape (N, size), of which `levels` stand for 1."""

    values: Array
    levels: float


def twin_inputs(network: Network, drive: Array) -> Mapping[str, TwinInput]:
    """Return the values of each input, by its name.

    Args:
        drive: of `Network.drive`. Of an input that changes with time, the twin takes the mean.
    """
    given = drive.sum(axis=1, dtype=np.float64) if network.changing else drive.astype(np.float64)
    frames = drive.shape[1] if network.changing else 1
    found = {}
    for name, own in network.input_of.items():
        values, levels = given[:, network.drive_columns[name]], float(own.coding.levels * frames)
        if not own.coding.analog:
            fewer = input_levels(network, name)
            values, levels = np.rint(values * (fewer / levels)), float(fewer)
        found[name] = TwinInput(values, levels)
    return found


def input_levels(network: Network, name: str) -> int:
    """Return the levels between 0 and 1 of an input of the twin."""
    coding = network.input_of[name].coding
    if coding.analog:
        return coding.levels
    return min((1 << network.levels.bit_length()) - 1, coding.levels)


def input_bits(network: Network, name: str) -> int:
    """Return the bits of a value of an input."""
    coding = network.input_of[name].coding
    signed = not coding.analog and coding.low < 0
    return input_levels(network, name).bit_length() + signed
