"""Samples of the networks with an image and a vector that exports are tested on."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array


def several_samples(count: int) -> dict[str, Array]:
    """Return random samples in [0, 1) by the names of the inputs."""
    rng = np.random.default_rng(8)
    return {"image": rng.random((count, 6, 6, 2), np.float32), "the meta": rng.random((count, 5), np.float32)}
