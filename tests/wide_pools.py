"""A network whose hidden layer stands behind a wide pool: float32 cannot resolve its many small weights."""

from __future__ import annotations

from functools import cache

import numpy as np

from kgenn.conversion.base import Converter
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from networks import Build
from recordings import ALL_ENCODERS, on_reference

SIDE = 40


@cache
def graph() -> Graph:
    """Return a convolution, a global average pooling, a dense layer with one tiny unit, and the output."""
    b = Build("wide_pool", (SIDE, SIDE, 2))
    hidden = b.dense(b.global_pool(b.conv_relu("input", 6)), 8, bias=True)
    layer = b.nodes[-1].layer
    layer.kernel[:, 3] *= 1e-3  # type: ignore[attr-defined]
    layer.bias[3] *= 1e-3  # type: ignore[attr-defined]
    return b.graph(b.dense(b.relu(hidden), 3))


def images(count: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Array:
    """Return images of several brightnesses, so that what is pooled is not all alike."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0.2, 1.0, (count, 1, 1, 2))
    return (brightness * rng.uniform(low, high, (count, SIDE, SIDE, 2))).astype(np.float32)


@cache
def wide(converter: Converter, num_timesteps: int, encoder: str | None = None) -> Network:
    """Return the network of a method, with the method's default encoder where none is named."""
    name = encoder or converter.default_encoder
    coder, low, high = ALL_ENCODERS[name]
    recipe = recipe_of(converter, coder, ("bias",))
    calibration = images(64, max(low, 0.0), high)
    return convert_graph(graph(), recipe, calibration, num_timesteps, on_reference).network
