"""Bytes as inputs of exported C: a table says what each drives, so that no target computes with fractions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from kgenn.diagnostics import KgennError
from kgenn.ir.network import Network
from kgenn.ir.network_input import NetworkInput

# What stands for a byte that the encoder does not take.
ILLEGAL = -(2**31)


def byte_levels(network: Network) -> list[list[int]] | None:
    """Return what each of the 256 bytes drives, for each input; None where bytes do not say an input's values.

    They do where the data had a scale as pixels have, or are spikes, and where each channel has the same
    preprocessing and the model keeps the order of axes.
    """
    tables = [_table(given, _scale(network, given.name)) for given in network.inputs]
    return None if any(table is None for table in tables) else [table for table in tables if table is not None]


def meaning_of_bytes(network: Network) -> str:
    """Return what a byte means, for a comment."""
    scales = {str(_scale(network, given.name)) for given in network.inputs}
    if scales == {"None"}:
        return "1 for a spike, 0 for none."
    return f"The model's input is the byte times {', '.join(sorted(scales - {'None'}))}."


def _scale(network: Network, name: str) -> Fraction | None:
    stored = network.origin.get("scale")
    text = stored.get(name) if isinstance(stored, Mapping) else stored
    return None if text is None else Fraction(str(text))


def _table(given: NetworkInput, scale: Fraction | None) -> list[int] | None:
    transform, coding = given.transform, given.coding
    if transform.transposes or transform.scale.size > 1 or transform.shift.size > 1:
        return None
    if scale is None and not (coding.binary and coding.binarise is None):
        return None
    bytes_ = np.arange(256, dtype=np.float64)
    factor = Fraction(1) if scale is None else scale
    x = (bytes_ * float(factor.numerator) / float(factor.denominator)).astype(np.float32)
    if transform.rescales:
        x = (x * transform.scale.ravel()[0] + transform.shift.ravel()[0]).astype(np.float32)
    return [_level(given, value) for value in x]


def _level(given: NetworkInput, value: np.float32) -> int:
    try:
        return int(given.coding.drive(np.array([[value]], np.float32))[0, 0])
    except KgennError:
        return ILLEGAL
