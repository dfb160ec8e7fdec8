"""Run a network on each simulator, and tell whether two recordings are the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from kgenn.backends import TARGETS, RunOptions
from kgenn.backends.base import Simulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording, Wanted
from kgenn.passes import LoweringOptions
from networks import ALLOW, ENCODERS, build, samples

NUM_SAMPLES = 4
# a block of the generated program and a bit
NUM_TIMESTEPS = 21
EVERYTHING = Wanted(trace=True, worths=True)


@cache
def converted(
    name: str,
    encoder: str = "direct",
    converter: DataNorm | None = None,
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    num_timesteps: int = NUM_TIMESTEPS,
    seed: int = 3,
) -> Network:
    """Return a network of `networks`, converted."""
    graph = build(name)
    coder, low, high = ENCODERS[encoder]
    calibration = samples(graph, 16, low, high)
    chosen = converter or DataNorm()
    given = (graph, chosen, coder, calibration, num_timesteps, simulate, ALLOW, lowering, readout, seed)
    return convert_graph(*given).network


def drive_of(network: Network, encoder: str, count: int = NUM_SAMPLES) -> Array:
    """Return the drive of random inputs that the encoder takes, and that lie in the calibrated range."""
    _, low, high = ENCODERS[encoder]
    rng = np.random.default_rng(11)
    # direct input is legal up to what the calibration data had
    inside = rng.uniform(0.9 * low, 0.9 * high, (count, *network.input_shape))
    return network.drive(inside.astype(np.float32))


def compiled(network: Network, num_threads: int = 1) -> Simulator:
    """Return the generated C++ program of a network."""
    return TARGETS.get("cpu")().load(network, None, RunOptions(num_threads))


def differences(a: Recording, b: Recording) -> Iterator[str]:
    """Yield what is not bit for bit the same in two recordings."""
    assert a.raster is not None
    assert b.raster is not None
    assert a.worths is not None
    assert b.worths is not None
    if a.scores.shape != b.scores.shape or not np.array_equal(a.scores, b.scores):
        yield "scores"
    kinds = {
        "counts": (a.spike_counts, b.spike_counts),
        "worths": (a.worths, b.worths),
        "raster": (a.raster, b.raster),
    }
    for kind, (one, two) in kinds.items():
        if list(one) != list(two):
            yield f"populations of the {kind}: {list(one)}, {list(two)}"
            continue
        yield from (f"{kind} of {name}" for name in one if not np.array_equal(one[name], two[name]))


def assert_same(a: Recording, b: Recording) -> None:
    """Fail where two recordings differ in any score, count or spike."""
    assert list(differences(a, b)) == []
