"""Convolutions of every shape give the spikes of the reference, by events and densely, in any number of lanes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.graph import Graph
from kgenn.layers.merge import Add
from networks import Build, samples
from recordings import EVERYTHING, METHODS, assert_same

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def branches(seed: int, count: int = 6) -> Graph:
    """Return a network of convolutions of random shapes side by side, added up after a dense layer each."""
    rng = np.random.default_rng(seed)
    b = Build(f"branches{seed}", (11, 13, 3))
    stem = b.conv_relu("input", 12)
    heads = []
    for _ in range(count):
        groups = int(rng.choice([1, 1, 2, 3, 4, 6, 12]))
        kernel = tuple(int(k) for k in rng.choice([1, 2, 3, 5, 7], 2))
        strides = (1, 1) if rng.random() < 0.5 else tuple(int(s) for s in rng.choice([1, 2, 3], 2))
        dilation = (2, 1) if strides == (1, 1) and max(kernel) < 5 and rng.random() < 0.5 else (1, 1)
        out = groups * int(rng.choice([1, 2, 5, 11, 24, 40] if groups < 4 else [1, 2, 3, 5]))
        x = b.conv_relu(stem, out, kernel, strides, "same", dilation=dilation, groups=groups)
        heads.append(b.dense(b.flat(x), 5))
    return b.graph(b.add(Add(), *heads))


SEEDS = (1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", leading(["data-norm", "burst", "few-spike"]))
def test_convolutions_of_every_shape_give_the_spikes_of_the_reference(method: str, seed: int) -> None:
    graph = branches(seed)
    converter, lengths = METHODS[method]
    calibration = samples(graph, 24)
    network = kgenn.convert(graph, calibration=calibration, converter=converter, timesteps=lengths[0], check=False)
    drive = network.drive(samples(graph, 5, seed=8))
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    for way in ("events", "dense", "auto"):
        program = TARGETS.get("cpu")().load(network, None, RunOptions(1, synapses=way))
        assert_same(expected, program.run(drive, 3, EVERYTHING))
        assert_same(
            ReferenceSimulator(network).run(drive[:1], 3, EVERYTHING), program.run(drive[:1], 3, EVERYTHING)
        )
