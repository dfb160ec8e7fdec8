"""What the user may choose about lowering."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kgenn.config import check_types
from kgenn.diagnostics import fail

Residual = Literal["direct", "identity"]
# Neurons for each value of an activation.
MOST_PIECES = 256
Pooling = Literal["auto", "fold", "population"]


@dataclass(frozen=True)
class LoweringOptions:
    """Choices that change the populations of a network but not the function it approximates."""

    residual: Residual = field(
        default="direct",
        metadata={
            "help": "an Add without a ReLU after it: consumers read both branches, or a spiking identity layer"
        },
    )
    pooling: Pooling = field(
        default="auto",
        metadata={"help": "average pooling: folded into the next connection, neurons of its own, or by size"},
    )

    pieces: int = field(default=8, metadata={"help": "straight pieces of a smooth activation inside the network"})

    def __post_init__(self) -> None:
        check_types(self)
        if not 1 <= self.pieces <= MOST_PIECES:
            raise fail("KG401", "pieces", f"is {self.pieces}; it lies in 1 to {MOST_PIECES}")
