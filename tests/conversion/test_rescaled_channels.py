"""A model whose channels are written larger or smaller is the same model, and loses no more as a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.channel_units import channel_units, of_layer
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.layers.dense import Dense
from networks import Build
from recordings import on_reference

METHODS: list[tuple[Converter, int]] = [
    (DataNorm(), 64),
    (Burst(), 32),
    (FewSpike(), 8),
    (FewSpike(correction=False), 12),
    (TimeToFirstSpike(), 128),
    (Calibrated(), 8),
]
UNITS = 12
X = np.random.default_rng(0).uniform(size=(300, 9)).astype(np.float32)


def model(factors: Array) -> Graph:
    """Return a network whose first hidden units are `factors` times as large, and what they reach much smaller."""
    b = Build("rescaled", (9,))
    graph = b.graph(b.dense(b.relu(b.dense(b.relu(b.dense("input", UNITS, bias=True)), UNITS)), 3))
    first, second = (
        node.name for node in graph.nodes if isinstance(node.layer, Dense) and node.name != graph.ends[0]
    )

    def rewritten(name: str, layer: Dense) -> Dense:
        if name == first:
            assert layer.bias is not None
            return replace(layer, kernel=layer.kernel * factors, bias=(layer.bias * factors).astype(np.float32))
        return (
            replace(layer, kernel=(layer.kernel / factors[:, None]).astype(np.float32))
            if name == second
            else layer
        )

    nodes = [
        replace(node, layer=rewritten(node.name, node.layer)) if isinstance(node.layer, Dense) else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes))


def network(graph: Graph, converter: Converter, timesteps: int) -> Network:
    return convert_graph(graph, recipe_of(converter, None, ("bias",)), X[:256], timesteps, on_reference).network


def spikes(net: Network) -> list[Array]:
    counts = ReferenceSimulator(net).run(net.drive(X[256:]), 0).spike_counts
    return [counts[p.name] for p in net.spiking]


FACTORS = {
    "all": np.exp2(np.random.default_rng(1).integers(-10, 11, UNITS)).astype(np.float32),
    "one small": np.where(np.arange(UNITS) == 4, 2.0**-17, 1).astype(np.float32),
    "one large": np.where(np.arange(UNITS) == 4, 2.0**17, 1).astype(np.float32),
}


@pytest.mark.parametrize("factors", FACTORS.values(), ids=FACTORS.keys())
@pytest.mark.parametrize(("converter", "timesteps"), METHODS, ids=str)
def test_the_size_of_a_channel_changes_no_spike(converter: Converter, timesteps: int, factors: Array) -> None:
    plain = spikes(network(model(np.ones(UNITS, np.float32)), converter, timesteps))
    for own, other in zip(spikes(network(model(factors), converter, timesteps)), plain, strict=True):
        assert np.array_equal(own, other)
        assert own.any()


@pytest.mark.parametrize(("converter", "timesteps"), METHODS, ids=str)
def test_a_unit_that_never_fires_changes_little_however_large_its_weights(
    converter: Converter, timesteps: int
) -> None:
    def with_dead(outgoing: float) -> Graph:
        graph = model(np.ones(UNITS, np.float32))
        first, second = [node for node in graph.nodes if isinstance(node.layer, Dense)][:2]
        first.layer.bias[7] = -50  # type: ignore[attr-defined]
        second.layer.kernel[7] *= outgoing  # type: ignore[attr-defined]
        return graph

    def error(graph: Graph) -> float:
        net = network(graph, converter, timesteps)
        scores = ReferenceSimulator(net).run(net.drive(X[256:]), 0).scores[:, -1]
        wanted = np.asarray(graph.predict(X[256:]))
        said = scores / net.populations[-1].unit * net.populations[-1].scale / net.levels
        return float(np.linalg.norm(said - wanted) / np.linalg.norm(wanted - wanted.mean(axis=0)))

    assert error(with_dead(1e5)) < 1.1 * error(with_dead(1.0)) + 0.01


def test_units_follow_a_channel_and_are_alike_where_nothing_spreads() -> None:
    factors = np.exp2(np.arange(UNITS, dtype=np.float32))
    units = channel_units(model(factors), X)
    first, second = (unit for name, unit in units.items() if name.startswith("relu"))
    assert (np.diff(np.log2(first)) > 0).mean() > 0.9
    plain = list(channel_units(model(np.ones(UNITS, np.float32)), X).values())[-1]
    np.testing.assert_allclose(second, plain)
    constant = channel_units(model(factors), X[:1])
    assert all(np.array_equal(unit, np.ones_like(unit)) for unit in constant.values())


def test_one_channel_of_large_values_does_not_speak_for_its_layer() -> None:
    ones = np.ones(5)
    assert of_layer([(np.array([1.0, 1, 1, 0, 1000]), ones)]) == 2.0
    assert of_layer([(np.array([1.0, 1, 1.5, 0, 1.2]), ones)]) == 1.5
    assert of_layer([(np.zeros(5), ones)]) == 0.0
