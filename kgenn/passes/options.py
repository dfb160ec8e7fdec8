"""What the user may choose about lowering."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LoweringOptions:
    """Choices that change the populations of a network but not the function it approximates."""

    residual: Literal["direct", "identity"] = field(
        default="direct",
        metadata={
            "help": "an Add without a ReLU after it: consumers read both branches, or a spiking identity layer"
        },
    )
    pooling: Literal["auto", "fold", "population"] = field(
        default="auto",
        metadata={"help": "average pooling: folded into the next connection, neurons of its own, or by size"},
    )
