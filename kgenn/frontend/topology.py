"""Build a Graph from a model's entries: calls in topological order, nested models inlined, layers read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.frontend.bounds import Bounds
from kgenn.frontend.call_order import ordered_calls
from kgenn.frontend.input_shape import InputShape, reconsidered, sized
from kgenn.frontend.model_config import LayerEntry, ModelEntry, Path
from kgenn.frontend.problems import by_class, check_known
from kgenn.frontend.references import Call, TensorReference
from kgenn.ir.graph import Graph, Input, Layer, Node, Output, Shape
from kgenn.layers import LAYERS, OPERATIONS
from kgenn.layers.config import LayerConfig, OutputChains
from kgenn.layers.per_step import per_step
from kgenn.layers.weights import StoredArray, Weights, WeightSpec, WeightsRecorder

_REMEDY = "the model's layers do not fit together"
# a tensor is the name of the node that computes it; None where that node could not be read
Tensor = str | None
Plans = Mapping[Path, Sequence[WeightSpec]]


def build_graph(
    model: ModelEntry,
    source: str,
    arrays: Callable[[Plans], Mapping[Path, Sequence[StoredArray]]],
    shape: InputShape,
) -> Graph:
    """Build the graph of a model.

    The layers are read twice. The first time tells which arrays each layer will take, since a file may hold
    those of a nested model as one flat list; `arrays` finds them, and the second time takes them.

    Args:
        source: the file's name, for messages.
        arrays: from the path of each layer and what it takes, the arrays stored for it.
        shape: sets the sizes of the input that the model leaves open.
    """
    model, note = sized(model, shape, source)
    try:
        graph = _built(model, source, arrays)
    except KgennError as error:
        raise reconsidered(error, note) from None
    return graph.noted(note) if note else graph


def _built(
    model: ModelEntry, source: str, arrays: Callable[[Plans], Mapping[Path, Sequence[StoredArray]]]
) -> Graph:
    plans: dict[Path, WeightsRecorder] = {}

    def plan(path: Path, where: str) -> Weights:
        plans[path] = WeightsRecorder(where)
        return plans[path]

    _Builder(source, plan).build(model)
    Bounds(source).count_weights([slot.shape for taken in plans.values() for slot in taken.slots])
    stored = arrays({path: tuple(plan.slots) for path, plan in plans.items()})
    loaded: dict[Path, Weights] = {}

    def load(path: Path, where: str) -> Weights:
        # a layer called again gets the arrays already converted, so that its nodes share them
        again = [StoredArray(path[-1], array) for array in loaded[path].taken] if path in loaded else None
        loaded[path] = Weights(where, stored[path] if again is None else again)
        return loaded[path]

    return _Builder(source, load).build(model)


@dataclass(eq=False)
class _Builder:
    """Collect the nodes of a graph, and the diagnostics of the layers that cannot be read, each with its layer."""

    source: str
    weights_of: Callable[[Path, str], Weights]
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    errors: dict[Diagnostic, LayerConfig] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    keras_2: bool = False

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.source)

    def build(self, model: ModelEntry) -> Graph:
        """Return the graph, or raise every diagnostic at once."""
        self.keras_2 = model.keras_2
        outputs = self.expand(model, None, (), "")
        if self.errors:
            raise KgennError(by_class(self.errors))
        named = zip(model.output_names, outputs, strict=True)
        ends = tuple(Output(name, node) for name, node in named if node is not None)
        single = tuple(end.name for end in ends if self.shapes[end.node] == ())
        graph = Graph(model.name, tuple(self.nodes), ends, naming=replace(model.naming, single_values=single))
        return graph.noted(*self.notes)

    def expand(self, model: ModelEntry, inputs: Sequence[Tensor] | None, path: Path, scope: str) -> list[Tensor]:
        """Inline a model called on the given tensors, or the whole model on new Input nodes; return its outputs.

        Args:
            path: the names of the models around it.
            scope: what the names of its nodes begin with.
        """
        where = f"{self.source}: {'/'.join(path) or model.name}"
        values: dict[TensorReference, Tensor] = {}
        if inputs is not None and len(inputs) != len(model.inputs):
            what = f"has {len(model.inputs)} inputs, but is called on {len(inputs)}"
            raise fail("KG108", where, what, "save the model again")
        for ref, tensor in zip(model.inputs, inputs or (), strict=inputs is not None):
            values[ref] = tensor
        read = _tensors_read(model)
        keys = (
            {ref.layer: key for ref, key in zip(model.inputs, model.input_names, strict=True)}
            if inputs is None
            else {}
        )
        for entry, index, call in ordered_calls(model, where):
            if TensorReference(entry.name, index) in values:
                continue
            name = f"{scope}{keys.get(entry.name, entry.name)}" + (f":{index}" if index else "")
            arguments = [_lookup(values, ref, where) for ref in call.inputs]
            here = (*path, entry.name)
            self.bounds.count_calls()
            if entry.model is not None and not call.odd and (call.keras_3 or not call.training):
                inline = self.steps if entry.wraps in ("layer", "model") else self.expand
                results = dict(enumerate(inline(entry.model, arguments, here, f"{name}/")))
            else:
                results = self.leaf(entry, call, arguments, here, name, read.get((entry.name, index), {0}))
            values.update({TensorReference(entry.name, index, i): result for i, result in results.items()})
        return [_lookup(values, ref, where) for ref in model.outputs]

    def steps(self, model: ModelEntry, inputs: Sequence[Tensor], path: Path, scope: str) -> list[Tensor]:
        """Inline a model that is applied to each step of a sequence; return its outputs."""
        if None in inputs:
            return [None for _ in model.outputs]
        shapes = [self.shapes[tensor] for tensor in inputs if tensor is not None]
        if any(len(shape) < 2 for shape in shapes):
            raise fail("KG108", f"{self.source}: {'/'.join(path)}", f"has no steps in inputs of {shapes}", _REMEDY)
        names = {f"{scope}step/{i}": tensor for i, tensor in enumerate(inputs)}
        one = _Builder(
            self.source,
            self.weights_of,
            shapes=dict(zip(names, (s[1:] for s in shapes), strict=True)),
            keras_2=self.keras_2,
        )
        one.bounds = self.bounds  # what is within counts too
        outputs = one.expand(model, list(names), path, scope)
        self.errors.update(one.errors)
        self.notes += one.notes
        for node in () if one.errors else one.nodes:
            reads = tuple(str(names[source]) for source in node.inputs)
            chain = per_step(node.layer, shapes[0][0], one.shapes[node.inputs[0]])
            made = _chain_shapes(chain, tuple(self.shapes[source] for source in reads))
            names[node.name] = self.nodes_of(node.name, chain, reads, made, node.origin)
        return [None if name is None else names.get(name) for name in outputs]

    def leaf(
        self, entry: LayerEntry, call: Call, arguments: list[Tensor], path: Path, name: str, read: Collection[int]
    ) -> dict[int, Tensor]:
        """Read one call of a layer or an operation into nodes.

        Args:
            read: which of its outputs others read.

        Returns:
            The node of each of these outputs; None for all after an error.
        """
        options = {**entry.options, **call.keywords}
        config = LayerConfig(
            "/".join(path), entry.class_name, options, self.source, call.arguments, keras_2=self.keras_2
        )
        unread: dict[int, Tensor] = dict.fromkeys(read) if entry.operation else {0: None}
        shapes = tuple(self.shapes[tensor] for tensor in arguments if tensor is not None)
        try:
            check_known(entry, call, config)
            if len(shapes) < len(arguments):
                return unread
            weights = self.weights_of(path, config.place)
            chains = _read(entry, config, weights, shapes)
            self.errors.update(dict.fromkeys(weights.finish(), config))
            outputs = {i: (chain, _chain_shapes(chain, shapes)) for i, chain in chains.items() if i in {0, *read}}
        except KgennError as error:
            self.errors.update(dict.fromkeys(error.diagnostics, config))
            return unread
        except ValueError as error:
            self.errors[_mismatch(config, str(error))] = config
            return unread
        self.notes += config.notes
        inputs = tuple(tensor for tensor in arguments if tensor is not None)
        return {
            i: self.nodes_of(f"{name}/{i}" if i else name, chain, inputs, made, config.where)
            for i, (chain, made) in outputs.items()
            if len(chains) == 1 or i in read
        }

    def nodes_of(
        self, name: str, chain: tuple[Layer, ...], inputs: tuple[str, ...], outputs: list[Shape], where: str
    ) -> str:
        """Add the nodes of a chain of layers with their shapes; return the name of the last."""
        for node_name, layer, shape in zip(_chain_names(name, chain), chain, outputs, strict=True):
            self.bounds.count_layer(layer, tuple(self.shapes[tensor] for tensor in inputs), shape)
            unique = _unique(node_name, self.shapes)
            self.nodes.append(Node(unique, layer, inputs, where))
            self.shapes[unique] = shape
            inputs = (unique,)
        return inputs[0]


def _read(
    entry: LayerEntry, config: LayerConfig, weights: Weights, shapes: tuple[Shape, ...]
) -> dict[int, tuple[Layer, ...]]:
    """Return the chain of layers that a layer or an operation is, for each of its outputs."""
    if not entry.operation:
        return {0: LAYERS.get(entry.reader)(config, weights, shapes)}
    made = OPERATIONS.get(entry.reader)(config, weights, shapes)
    return dict(enumerate(made.chains)) if isinstance(made, OutputChains) else {0: made}


def _tensors_read(model: ModelEntry) -> dict[tuple[str, int], set[int]]:
    """Return which outputs of each call others read, or the model gives."""
    read: dict[tuple[str, int], set[int]] = {}
    within = (ref for entry in model.layers for call in entry.calls for ref in call.inputs)
    for ref in (*within, *model.outputs):
        read.setdefault((ref.layer, ref.call), set()).add(ref.tensor)
    return read


def _lookup(values: Mapping[TensorReference, Tensor], ref: TensorReference, where: str) -> Tensor:
    if ref not in values:
        what = f"reads output {ref.tensor} of call {ref.call} of {ref.layer!r}, which does not exist"
        raise fail("KG108", where, what, "save the model again")
    return values[ref]


def _mismatch(config: LayerConfig, what: str) -> Diagnostic:
    return Diagnostic("KG108", config.place, what, _REMEDY)


def _chain_shapes(chain: tuple[Layer, ...], inputs: tuple[Shape, ...]) -> list[Shape]:
    """Return the output shape of each layer of a chain."""
    shapes: list[Shape] = []
    for layer in chain:
        shapes.append(layer.shape if isinstance(layer, Input) else layer.output_shape(*inputs))
        inputs = (shapes[-1],)
    return shapes


def _chain_names(name: str, chain: tuple[Layer, ...]) -> list[str]:
    """Name the nodes of a chain: the main one as the Keras layer, the others "layer/what they do"."""
    main = max((i for i, layer in enumerate(chain) if not layer.auxiliary), default=0)
    return [name if i == main else f"{name}/{layer.role}" for i, layer in enumerate(chain)]


def _unique(name: str, taken: Mapping[str, Shape]) -> str:
    count = 1
    unique = name
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    return unique
