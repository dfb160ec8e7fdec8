"""No normalisation: a spike stands for an activation of 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.conversion.data_norm import RateCoded
from kgenn.ir.graph import Array, Graph
from kgenn.layers.activation import ReLU


@dataclass(frozen=True)
class Unscaled(RateCoded):
    """Let λ be 1 everywhere, for a network whose weights were normalised before, or as a baseline."""

    name: ClassVar[str] = "none"
    citation: ClassVar[str] = ""

    def scales(self, graph: Graph, calibration: Array) -> Mapping[str, Array]:
        return {node.name: np.ones(()) for node in graph.nodes if isinstance(node.layer, ReLU)}
