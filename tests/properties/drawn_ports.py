"""Random graphs with one to four inputs and outputs, and conversions of them with an encoder for each input.

An input is an image or a vector. Features of inputs are joined, by twos, at random depths, some of them by a layer
that is called several times; an output is any feature, or a head on one, and several may share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from hypothesis import event, reject
from hypothesis import strategies as st

from drawn_graphs import Drawing
from drawn_networks import CONVERTERS, DECLINES, LENGTHS
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.threshold_relu import ThresholdReLU
from kgenn.conversion.unscaled import Unscaled
from kgenn.diagnostics import KgennError
from kgenn.encoders import encoders_of
from kgenn.ir.graph import Array, Graph, Input, Node, Output, Shape
from kgenn.ir.network import Network
from kgenn.layers.activation import Activation, Softmax
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add, Concatenate
from networks import ALLOW
from recordings import ALL_ENCODERS, on_reference

MAX_PORTS = 4
SHAPES: tuple[Shape, ...] = ((3,), (5,), (4, 4, 1), (5, 4, 2), (1,))
# values of a feature that others join
WIDTH = 5
NUM_CALIBRATION = 16
# without caps, and without simulations of each layer
METHODS = [made for cls, made in CONVERTERS.items() if cls not in (ThresholdReLU, Unscaled)]


@dataclass(frozen=True, eq=False)
class PortCase:
    """A network with where it came from, and samples of its inputs."""

    graph: Graph
    network: Network
    x: Mapping[str, Array]

    @property
    def drive(self) -> Array:
        return self.network.drive(self.x)


class Ports(Drawing):
    """A graph with several inputs in the making."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(draw, draw(st.sampled_from(SHAPES)))
        self.inputs = ["input"]
        for number in range(1, self.number(1, MAX_PORTS)):
            name = f"input_{number}"
            self.nodes.append(Node(name, Input(self.pick(*SHAPES)), (), f"{name} (InputLayer)"))
            self.inputs.append(name)
        self.shared = Dense(self.kernel(WIDTH, WIDTH), None)

    def feature(self, x: str) -> str:
        """Add a feature of an input, a vector of `WIDTH` values."""
        if len(self.shape(x)) > 1 and self.pick(True, False):
            x = self.conv_relu(x, self.pick(2, 3), (2, 2), bias=self.pick(False, True))
        x = self.flat(x) if len(self.shape(x)) > 1 else x
        return self.bent(self.dense(x, WIDTH, bias=self.pick(False, True)))

    def bent(self, x: str) -> str:
        return self.relu(x) if self.pick(True, True, False) else x

    def joined(self, x: str, y: str) -> str:
        """Add a feature of two."""
        kind = self.pick("add", "concatenate", "shared")
        if kind == "shared":
            return self.bent(self.add(Add(), self.add(self.shared, x), self.relu(self.add(self.shared, y))))
        if kind == "add":
            return self.bent(self.add(Add(), x, y))
        return self.bent(self.dense(self.add(Concatenate(-1), x, y), WIDTH))

    def head(self, x: str) -> str:
        """Add an output on a feature, or let it be one."""
        kind = self.pick("softmax", "dense", "feature", "sigmoid")
        if kind == "feature":
            return x
        x = self.dense(x, 1 if kind == "sigmoid" else self.pick(2, 3))
        if kind == "dense":
            return x
        return self.add(Softmax() if kind == "softmax" else Activation("sigmoid"), x)


@st.composite
def port_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph with one to four inputs and outputs."""
    d = Ports(draw)
    features = [d.feature(name) for name in d.inputs]
    for _ in range(d.number(0, 3)):
        features.append(d.joined(d.pick(*features), d.pick(*features)))
    ends = [d.head(d.pick(*reversed(features))) for _ in range(d.number(1, MAX_PORTS))]
    outputs = tuple(Output(f"out_{i}", end) for i, end in enumerate(ends))
    return Graph(d.name, tuple(d.nodes), outputs).pruned()


@st.composite
def port_cases(draw: st.DrawFn, most_samples: int = 4) -> PortCase:
    """Draw a graph and convert it; examples that the conversion declines, and says why, do not count."""
    graph, converter = draw(port_graphs()), draw(st.one_of(METHODS))
    names = [e for e in ALL_ENCODERS if e in encoders_of(converter.code)]
    chosen = {name: ALL_ENCODERS[draw(st.sampled_from(names))] for name in graph.inputs}
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = {
        name: rng.uniform(low, high, (NUM_CALIBRATION, *graph.input_shapes[name])).astype(np.float32)
        for name, (_, low, high) in chosen.items()
    }
    encoders = {name: encoder for name, (encoder, _, _) in chosen.items()}
    readout, steps = draw(st.sampled_from(converter.readouts)), draw(st.sampled_from(LENGTHS[converter.code]))
    recipe = recipe_of(converter, encoders, ALLOW, None, readout, draw(st.integers(0, 9)))
    event(f"{len(graph.inputs)} inputs, {len(graph.outputs)} outputs")
    try:
        network = convert_graph(graph, recipe, x, steps, on_reference).network
    except KgennError as error:
        if not {diagnostic.code for diagnostic in error.diagnostics} <= DECLINES:
            raise
        reject()
    count = draw(st.integers(1, most_samples))
    return PortCase(graph, network, {name: array[:count] for name, array in x.items()})
