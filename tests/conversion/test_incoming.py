"""What goes into a population, and what it is called."""

from __future__ import annotations

import numpy as np

import kgenn
from kgenn.ir.graph import Graph, Input, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.dense import Dense

CALIBRATION = np.ones((2, 3), np.float32)
KERNEL = np.ones((3, 3), np.float32)


def chain(*nodes: tuple[str, bool, str]) -> Graph:
    """Return a chain of (name, whether it is a ReLU or else dense, the name of its Keras layer)."""
    made = [Node("input", Input((3,)), (), "input (InputLayer)")]
    for name, is_relu, layer in nodes:
        kind = ReLU() if is_relu else Dense(KERNEL, None)
        made.append(Node(name, kind, (made[-1].name,), f"{layer} ({type(kind).__name__})"))
    return Graph("chain", tuple(made), (made[-1].name,))


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
