"""Bound what a model file may ask for, before anything of that size is allocated or computed.

A file of a few kilobytes can declare any shape, and nested models that call each other twice double at each
level. The bounds are far above what trained networks need, and below what ends a process. The memory that reading
takes follows from the size of the file and of its weights (`most_memory`); the fuzzer and tests hold it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from kgenn.diagnostics import KgennError, fail
from kgenn.ir.graph import Layer, Shape
from kgenn.layers.conv import Conv
from kgenn.layers.pooling import Pool

# Calls of layers, those of nested models counted at each call. ResNet-1001 has some 3,000.
MAX_CALLS = 20_000
# Weights of all layers, 2 GiB in float32. VGG16 has 138 million.
MAX_WEIGHTS = 1 << 29
# Values of all layers for one sample, with what padding adds to them: 1 GiB in float32. VGG16 has 15 million.
MAX_VALUES = 1 << 28
# Multiplications and additions for one sample: some minutes. VGG16 takes 15 milliards.
MAX_OPERATIONS = 1 << 42
# Memory for reading: SOME bytes (128 MiB), TIMES those of the file for what it says, up to MAX_MEMORY (1 GiB), and
# COPIES of the weights in float32: one stays, and an array in float64 is there while it is converted.
SOME, TIMES, MAX_MEMORY, COPIES = 1 << 27, 64, 1 << 30, 3


def most_memory(file_bytes: int, weight_bytes: int) -> int:
    """Return the most bytes of memory that reading a model takes.

    Args:
        file_bytes: of the file, as it is.
        weight_bytes: of the weights that its layers have, in float32; 0 where it is refused before they are read.
    """
    return SOME + min(MAX_MEMORY, TIMES * file_bytes) + COPIES * weight_bytes


@dataclass(eq=False)
class Bounds:
    """What a model has asked for so far, of the file `source`."""

    source: str
    calls: int = 0
    values: int = 0
    operations: int = 0

    def count_calls(self, number: int = 1) -> None:
        """Count calls of layers and of nested models; raise KG110 where there are too many."""
        self.calls += number
        if self.calls > MAX_CALLS:
            raise self._excess(f"over {MAX_CALLS:,} calls of layers")

    def count_layer(self, layer: Layer, inputs: tuple[Shape, ...], output: Shape) -> None:
        """Count what a layer computes; raise KG110 where that is too much."""
        self.values += prod(output)
        self.operations += prod(output) * prod(layer.size) if isinstance(layer, Pool) else layer.macs(*inputs)
        if isinstance(layer, Conv | Pool):
            ((*sizes, channels),) = inputs
            pads = layer.pads(tuple(sizes))
            self.values += prod(s + low + high for s, (low, high) in zip(sizes, pads, strict=True)) * channels
        if self.values > MAX_VALUES:
            raise self._excess(f"{self.values:,} values for one sample up to here, more than {MAX_VALUES:,}")
        if self.operations > MAX_OPERATIONS:
            what = f"{self.operations:,} multiplications for one sample up to here, more than {MAX_OPERATIONS:,}"
            raise self._excess(what)

    def count_weights(self, shapes: list[Shape]) -> None:
        """Raise KG110 where arrays of these shapes are too many weights."""
        weights = sum(map(prod, shapes))
        if weights > MAX_WEIGHTS:
            raise self._excess(f"{weights:,} weights, more than {MAX_WEIGHTS:,}")

    def _excess(self, what: str) -> KgennError:
        return fail("KG110", self.source, f"asks for {what}", "kgenn reads no model of that size; split it")
