"""Graph: what Keras computes, as layers in topological order with their arrays.

Shapes are per sample, without the batch axis, and channels come last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import ClassVar, Literal

import numpy as np

from kgenn.display import Displayed
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.reach import Reach, joined, unit_vectors
from kgenn.ir.samples import Array as Array
from kgenn.ir.samples import Samples, SamplesLike, refuse_shape, samples_of
from kgenn.ir.samples import Shape as Shape
from kgenn.ir.words import counted, times

# Values computed at once over the samples of a batch, of all layers: 1 GiB in float32.
MAX_AT_ONCE = 1 << 28
# Values of unit vectors, and of responses to them, that are computed at once.
MAX_PROBED = 1 << 22


class Layer(ABC):
    """One operation of a graph: a frozen dataclass whose fields are its options and arrays.

    What a layer is, its class says here, so that no pass and no converter asks for classes by name.

    Attributes:
        linear: its value is a sum of linear functions of its inputs, and a constant: it becomes synapses.
        population: in a lowered graph it becomes neurons.
        keeps_sign: its value is never negative where none of its inputs is.
        auxiliary: it is the lesser part where one Keras layer becomes several layers.
    """

    linear: ClassVar[bool] = False
    population: ClassVar[bool] = False
    keeps_sign: ClassVar[bool] = False
    auxiliary: ClassVar[bool] = False

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the output for the given input shapes; raise ValueError where they do not fit."""

    @abstractmethod
    def forward(self, *inputs: Array) -> Array:
        """Compute the layer on a batch: each array has shape (N, *input shape)."""

    def macs(self, *inputs: Shape) -> int:
        """Return the multiply-accumulates for one sample."""
        return 0

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        """Return for each input of a linear layer the chain of one-input layers that its share goes through.

        The value of the layer is the sum of the shares, but for constants. Each chain must give the shape of the
        output.
        """
        return ((self,),)

    def reach(self, shape: Shape, positions: Array) -> Reach:
        """Return what single input values add to the output of a linear layer of one input.

        Every linear layer has this one, which computes the layer on unit vectors; one that knows better overrides
        it.

        Args:
            shape: of the input.
            positions: of the values, flat, shape (n,), int64.
        """
        constant = self.of_zeros(shape)
        step = max(1, MAX_PROBED // max(prod(shape), constant.size))
        found: list[Reach] = []
        for start in range(0, len(positions), step):
            responses = self.forward(unit_vectors(positions[start : start + step], shape)) - constant
            found.append(Reach.of_responses(responses.reshape(len(responses), -1), start))
        return joined(found)

    def of_zeros(self, *shapes: Shape) -> Array:
        """Return the output for inputs of zeros, shape (1, *output): what a linear layer adds to its map."""
        return self.forward(*(np.zeros((1, *shape)) for shape in shapes))

    def features(self) -> Iterator[tuple[str, str]]:
        """Yield what the layer has beyond the strict profile: the feature's name, and what was found."""
        yield from ()

    @property
    def role(self) -> str:
        """Return what the layer does, in a word for the name of its node."""
        return type(self).__name__.lower()

    @property
    def contents(self) -> str:
        """Return what is in the layer in a few words, such as "5×5, 16 filters"."""
        return type(self).__name__.lower()


@dataclass(frozen=True, eq=False)
class Input(Layer):
    """Accept the network's input, after `preprocessing` on the host.

    Attributes:
        shape: of one sample as the user gives it, in the model's own data format.
        preprocessing: element-wise and transposing layers that run on the host before the encoder.
    """

    population: ClassVar[bool] = True

    shape: Shape
    preprocessing: tuple[Layer, ...] = ()

    @property
    def contents(self) -> str:
        return "input"

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = self.shape
        for layer in self.preprocessing:
            shape = layer.output_shape(shape)
        return shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        for layer in self.preprocessing:
            x = layer.forward(x)
        return x


Purpose = Literal["identity", "population", "source", "readout", "pieces", "ends"]


@dataclass(frozen=True, eq=False)
class Node:
    """A layer with its name and the names of the nodes it reads.

    Attributes:
        origin: the Keras layer it came from, as "name (Class)", for messages.
        purpose: what a pass inserted it for; None where it is the model's own.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...] = ()
    origin: str = ""
    purpose: Purpose | None = None


@dataclass(frozen=True)
class Output:
    """An output of a model.

    Attributes:
        name: as Keras has it; unique in the model.
        node: the node whose value it is.
        postprocessing: activations that the host computes of that value, one after the other.
    """

    name: str
    node: str
    postprocessing: tuple[Layer, ...] = ()

    def after(self, *layers: Layer) -> Output:
        """Return the output with activations before those that it has."""
        return replace(self, postprocessing=(*layers, *self.postprocessing))


@dataclass(frozen=True, eq=False, repr=False)
class Graph(Displayed):
    """A trained model as a directed acyclic graph of layers; `predict` computes it in NumPy.

    Attributes:
        name: the model's name.
        nodes: the layers in topological order; inputs are in the model's order.
        outputs: in the model's order; several may read one node.
        notes: what passes changed or declined to change, and why.
        naming: the keys of inputs and outputs that a model was built with.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = ()
    naming: Naming = ALL_NAMED

    display: ClassVar[str] = "graph"

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            assert node.name not in seen, f"two nodes named {node.name}"
            assert seen.issuperset(node.inputs), f"{node.name} reads {node.inputs} before they are computed"
            seen.add(node.name)
        assert seen.issuperset(self.ends), f"outputs {self.ends} are not nodes"

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name} {times(shape)}" for name, shape in self.input_shapes.items())
        outputs = ", ".join(output.name for output in self.outputs)
        return f"<Graph {self.name}: {counted(len(self.nodes), 'node')}, {inputs} → {outputs}>"

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Return the nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the input nodes, in order."""
        return tuple(self.input_layers)

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """Return the names of the nodes that are outputs, each once, in the order of the outputs."""
        return tuple(dict.fromkeys(output.node for output in self.outputs))

    @cached_property
    def input_layers(self) -> dict[str, Input]:
        """Return the inputs by name, in order."""
        return {node.name: node.layer for node in self.nodes if isinstance(node.layer, Input)}

    @cached_property
    def input_shapes(self) -> dict[str, Shape]:
        """Return the shape of one sample of each input as the user gives it, in order."""
        return {name: layer.shape for name, layer in self.input_layers.items()}

    @cached_property
    def input_shape(self) -> Shape:
        """Return the shape of one sample as the user gives it, of a graph with one input."""
        (shape,) = self.input_shapes.values()
        return shape

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Return each node's output shape."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            shapes[node.name] = node.layer.output_shape(*(shapes[source] for source in node.inputs))
        return shapes

    @cached_property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """Return for each node the names of the nodes that read it, one entry for each use."""
        uses: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                uses[source].append(node.name)
        return {name: tuple(names) for name, names in uses.items()}

    @cached_property
    def last_uses(self) -> dict[str, str]:
        """Return for each node that others read the last of them."""
        return {source: node.name for node in self.nodes for source in node.inputs}

    @cached_property
    def macs(self) -> int:
        """Return the multiply-accumulates of one forward pass of one sample."""
        return sum(n.layer.macs(*(self.shapes[source] for source in n.inputs)) for n in self.nodes)

    def batch_size(self, limit: int) -> int:
        """Return how many samples may be computed at once: at most `limit`, and fewer of a large model."""
        values = sum(prod(shape) for shape in self.shapes.values())
        return max(1, min(limit, MAX_AT_ONCE // max(values, 1)))

    def samples(self, x: SamplesLike) -> Samples:
        """Return samples of the model's inputs; see `samples_of`."""
        return samples_of(x, self.input_shapes, self.name, naming=self.naming)

    def forward(self, x: SamplesLike) -> Iterator[tuple[str, Array]]:
        """Yield (name, activation) of each node on one batch; an array is dropped after its last use.

        Args:
            x: as for `predict`.
        """
        given = self.samples(x).arrays
        values: dict[str, Array] = {}
        for node in self.nodes:
            arguments = [given[node.name]] if isinstance(node.layer, Input) else [values[s] for s in node.inputs]
            with np.errstate(all="ignore"):  # what overflows is infinite, as it is in Keras
                values[node.name] = node.layer.forward(*arguments)
            yield node.name, values[node.name]
            for source in node.inputs:
                if self.last_uses[source] == node.name:
                    values.pop(source, None)

    def predict(self, x: SamplesLike, batch_size: int = 128) -> Array | tuple[Array, ...] | dict[str, Array]:
        """Compute the model's outputs in NumPy, as `keras.Model.predict` does.

        Args:
            x: shape (N, *input shape), any real dtype; for several inputs a list or tuple of such arrays in the
                model's order, or a mapping from the names of the inputs.
            batch_size: samples computed at once, at most; memory grows with it.

        Returns:
            The output of shape (N, *output shape), float32; a tuple of them for several outputs; a dictionary
            where the model gives one.

        Raises:
            KgennError: KG602 where the arrays are not those of the inputs, or of other shapes.
        """
        return self.naming.as_predicted(self.output_values(self.samples(x), batch_size))

    def output_values(self, samples: Samples, batch_size: int = 128) -> dict[str, Array]:
        """Return the model's outputs by their names, as `predict` computes them."""
        for name, shape in self.input_shapes.items():
            refuse_shape(samples.arrays[name].shape, shape, name)
        batches: dict[str, list[Array]] = {name: [] for name in self.ends}
        batch_size = self.batch_size(batch_size)
        for start in range(0, max(len(samples), 1), batch_size):
            for name, value in self.forward(samples[start : start + batch_size].single()):
                if name in batches:
                    batches[name].append(value)
        values = {name: np.concatenate(parts) for name, parts in batches.items()}
        return {output.name: _postprocessed(values[output.node], output) for output in self.outputs}

    def has_one_reader(self, name: str) -> bool:
        """Tell whether a node's value is read by one other node alone, and is no output."""
        return len(self.consumers[name]) == 1 and name not in self.ends

    def ending_at(self, *ends: str) -> Graph:
        """Return the part of the graph that computes the values of some nodes, with all inputs."""
        return replace(self, outputs=tuple(Output(name, name) for name in ends)).pruned()

    def edit(self, change: Callable[[Node], Sequence[Node] | str | None]) -> Graph:
        """Return the graph with nodes replaced, in one walk from inputs to outputs; itself where nothing changes.

        `change` gets each node, its inputs already renamed, and returns None to keep it, a chain of nodes
        whose last stands for the old one, or the name of another node that consumers shall read instead.
        """
        renamed: dict[str, str] = {}
        nodes: list[Node] = []
        for old in self.nodes:
            inputs = tuple(renamed.get(s, s) for s in old.inputs)
            new = change(node := old if inputs == old.inputs else replace(old, inputs=inputs))
            if isinstance(new, str):
                renamed[old.name] = new
            else:
                chain = (node,) if new is None else new
                nodes.extend(chain)
                renamed[old.name] = chain[-1].name
        if len(nodes) == len(self.nodes) and all(new is old for new, old in zip(nodes, self.nodes, strict=True)):
            return self
        outputs = tuple(replace(output, node=renamed.get(output.node, output.node)) for output in self.outputs)
        return replace(self, nodes=tuple(nodes), outputs=outputs)

    def pruned(self) -> Graph:
        """Return the graph without nodes that no output depends on; its inputs stay."""
        needed = {*self.ends, *self.inputs}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        nodes = tuple(node for node in self.nodes if node.name in needed)
        return self if len(nodes) == len(self.nodes) else replace(self, nodes=nodes)

    def noted(self, *notes: str) -> Graph:
        """Return the graph with notes added, each once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes)))) if notes else self


def _postprocessed(value: Array, output: Output) -> Array:
    """Return an output's value after what the host computes of it."""
    with np.errstate(all="ignore"):
        for layer in output.postprocessing:
            value = layer.forward(value)
    return value
