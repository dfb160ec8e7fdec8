"""What the user may choose of how a network is built, whatever the method."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt
from typing import Literal

from kgenn.config import check_types, whole
from kgenn.diagnostics import fail
from kgenn.ir.connectivity import WeightGrid

Residual = Literal["direct", "identity"]
# Neurons for each value of an activation.
MAX_PIECES = 256
# Of those that the code decides, the fewest and the most, and what their number is a multiple of.
MIN_FITTED, MAX_FITTED, FITTED_STEP = 8, 32, 4
Pooling = Literal["auto", "fold", "population"]
# Bits of a weight with its sign: 3 and fewer leave no network, and more than 16 no product of 16-bit integers.
MIN_BITS, MAX_BITS = 4, 16


@dataclass(frozen=True)
class LoweringOptions:
    """Choices that change a network's populations or the precision of its weights, not what it approximates."""

    residual: Residual = field(
        default="direct",
        metadata={"help": "for an Add without a ReLU: read both branches, or insert a spiking identity layer"},
    )
    pooling: Pooling = field(
        default="auto",
        metadata={"help": "average pooling: fold into the next connection, use neurons, or choose by size"},
    )

    pieces: int | None = field(
        default=None,
        metadata={
            "help": "straight pieces of a smooth activation inside the network; by default 8 to 32, so that"
            " their error is about that of the spike code's rounding"
        },
    )
    weight_bits: int | Literal["auto"] | None = field(
        default=None,
        metadata={
            "help": f"bits of each synaptic weight, {MIN_BITS} to {MAX_BITS} with the sign; auto: for each"
            " layer the fewest that round little compared with the spike code; by default all that the grid holds"
        },
    )

    weight_grid: WeightGrid = field(
        default="layer",
        metadata={
            "help": "where weights have few bits: one grid for all weights of a layer, or a power of two for each"
            " channel beside it where that rounds less"
        },
    )

    def __post_init__(self) -> None:
        check_types(self)
        if self.pieces is not None and not 1 <= self.pieces <= MAX_PIECES:
            raise fail("KG401", "pieces", f"is {self.pieces}; it lies in 1 to {MAX_PIECES}")
        if self.weight_bits not in (None, "auto"):
            whole("weight_bits", self.weight_bits, MIN_BITS, MAX_BITS)
        if self.weight_grid != "layer" and self.weight_bits is None:
            raise fail(
                "KG401",
                "weight_grid",
                "is for weights of few bits",
                "pass --weight-bits 8, or another number of bits",
            )

    def pieces_for(self, levels: int) -> int:
        """Return how many straight pieces an activation gets.

        The error of N pieces falls as 1/N², and a level of a code of L is 1/L of the range: N = √L keeps the two
        alike. 16 pieces of a tanh of normal inputs (mean 0, standard deviation 1.5) are off by 0.28 % of its
        spread, and the rounding of 255 levels is 0.28 % of it.

        Args:
            levels: L, the full scale of a spike train.
        """
        if self.pieces is not None:
            return self.pieces
        nearest = FITTED_STEP * round(isqrt(levels + 1) / FITTED_STEP)
        return min(max(nearest, MIN_FITTED), MAX_FITTED)
