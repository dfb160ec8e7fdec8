"""What goes into a population, and what it is called."""

from __future__ import annotations

import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.conversion.paths import weights_into
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph, Input, Node, Output
from kgenn.layers.activation import ReLU
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add
from networks import Build

CALIBRATION = np.ones((2, 3), np.float32)
KERNEL = np.ones((3, 3), np.float32)


def chain(*nodes: tuple[str, bool, str]) -> Graph:
    """Return a chain of (name, whether it is a ReLU or else dense, the name of its Keras layer)."""
    made = [Node("input", Input((3,)), (), "input (InputLayer)")]
    for name, is_relu, layer in nodes:
        kind = ReLU() if is_relu else Dense(KERNEL, None)
        made.append(Node(name, kind, (made[-1].name,), f"{layer} ({type(kind).__name__})"))
    return Graph("chain", tuple(made), (Output("out", made[-1].name),))


def populations_of(graph: Graph) -> list[str]:
    network = kgenn.convert(graph, calibration=CALIBRATION, timesteps=2)
    return [p.name for p in network.populations]


def test_a_population_has_the_name_of_the_layer_whose_relu_it_is() -> None:
    graph = chain(("a", False, "a"), ("a/relu", True, "a"), ("out", False, "out"))
    assert populations_of(graph) == ["input", "a", "out"]


def test_a_layer_called_relu_in_a_nested_model_keeps_its_name() -> None:
    graph = chain(
        ("d", False, "d"),
        ("a/relu", True, "a/relu"),
        ("e", False, "e"),
        ("a", True, "a"),
        ("out", False, "out"),
    )
    assert populations_of(graph) == ["input", "a/relu", "a", "out"]


def sums(count: int, twice: bool) -> Graph:
    """Return a network of linear sums, each of the one before and itself, or the first layer's value."""
    b = Build("sums", (3,))
    first = value = b.dense("input", 3)
    for _ in range(count):
        value = b.add(Add(), value, value if twice else first)
    return b.graph(b.dense(b.relu(value), 2))


def test_a_chain_of_sums_is_one_population_with_a_connection_for_each() -> None:
    graph = sums(200, twice=False)
    network = kgenn.convert(graph, calibration=CALIBRATION, timesteps=64, check=False)
    (bias,) = {c.target for c in network.connections if c.source == "input"}
    assert len(network.incoming[bias]) == 201


@pytest.mark.slow
@pytest.mark.parametrize(("count", "twice"), leading([(40, True), (1200, False)]))
def test_sums_of_more_paths_than_connections_convert(count: int, twice: bool) -> None:
    graph = sums(count, twice)
    assert kgenn.check(graph) == []
    x = np.random.default_rng(0).uniform(size=(64, 3)).astype(np.float32)
    network = kgenn.convert(graph, calibration=x, converter="few-spike", timesteps=12, allow="all", check=False)
    scores, expected = kgenn.compile(network, target="reference").evaluate(x).scores, graph.predict(x)
    assert np.abs(scores - expected).max() < 0.02 * np.abs(expected).max()


def test_a_sum_of_too_many_terms_is_one_error_of_check_and_conversion() -> None:
    b = Build("terms", (3,))
    value = b.add(Add(), *[b.relu(b.dense("input", 3))] * 5000)
    graph = b.graph(b.dense(b.relu(value), 2))
    with pytest.raises(KgennError) as caught:
        kgenn.convert(graph, calibration=CALIBRATION, timesteps=2)
    (problem,) = caught.value.diagnostics
    assert (problem.code, "5,000 linear paths" in problem.what) == ("KG110", True)
    assert kgenn.check(graph) == [problem]


def test_weights_are_found_behind_more_paths_than_can_be_listed() -> None:
    graph = sums(40, twice=True)
    assert set(weights_into(graph, graph.nodes[-2].inputs[0])) == {graph.nodes[1].name}
