"""Threshold-ReLU conversion: the model was trained with capped ReLUs, and its caps are the scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.activations import percentiles
from kgenn.conversion.base import Calibration, Settings
from kgenn.conversion.rate_coded import SingleSpikes
from kgenn.conversion.scales import cap_of
from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Graph
from kgenn.layers.activation import ReLU


@dataclass(frozen=True)
class ThresholdReLU(SingleSpikes):
    """Let λ be the cap θ of each ReLU of a model trained with activations clip(x, 0, θ).

    The method's shift of the bias by θ/(2T) in each step is the same as the default initial potential of θ/2.
    Such a model needs --allow relu-cap.

    Source: Deng & Gu 2021, arXiv:2103.00476.
    """

    name: ClassVar[str] = "threshold-relu"
    citations: ClassVar[tuple[Citation, ...]] = ("deng2021",)
    default_timesteps: ClassVar[int] = 32
    depends_on_timesteps: ClassVar[bool] = False

    def refusals(self, graph: Graph) -> Iterator[Diagnostic]:
        for node in graph.nodes:
            # populations that lowering inserted have no cap to be trained
            if isinstance(node.layer, ReLU) and node.layer.max_value is None and node.purpose is None:
                what = "has a ReLU without a cap, which threshold-relu takes its scale from"
                advice = "train with ReLU(max_value=θ), see benchmarks/zoo, or use another converter"
                yield Diagnostic("KG210", node.origin, what, advice)

    def settings(self, calibration: Calibration) -> Settings:
        graph = calibration.graph
        relus = [n for n in graph.nodes if isinstance(n.layer, ReLU)]
        caps = {node.name: cap_of(node) for node in relus}
        # the largest activation of a population that lowering inserted is its cap
        inserted = [node.name for node in relus if caps[node.name] is None and node.purpose is not None]
        if inserted:
            largest = percentiles(graph, calibration.samples, 100.0, False, calibration.memoise)
            caps.update({name: float(largest[name]) or 1.0 for name in inserted})
        return Settings({name: np.asarray(cap) for name, cap in caps.items()})
