"""No normalisation: a spike stands for an activation of 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.base import Calibration, Settings
from kgenn.conversion.rate_coded import SingleSpikes
from kgenn.layers.activation import ReLU


@dataclass(frozen=True)
class Unscaled(SingleSpikes):
    """Let λ be 1 everywhere, for a network whose weights were normalised before, or as a baseline.

    A rate is at most 1, so a cap at another value would be lost.
    """

    name: ClassVar[str] = "none"
    represents: ClassVar[frozenset[str]] = SingleSpikes.represents - {"activation", "product", "relu-cap"}
    citations: ClassVar[tuple[Citation, ...]] = ()
    depends_on_timesteps: ClassVar[bool] = False

    def settings(self, calibration: Calibration) -> Settings:
        relus = (node.name for node in calibration.graph.nodes if isinstance(node.layer, ReLU))
        return Settings({name: np.ones(()) for name in relus})
