"""Build a Graph from a model's entries: calls in topological order, nested models inlined, layers read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kgenn.diagnostics import Diagnostic, KgennError, fail, known_names
from kgenn.frontend.bounds import Bounds
from kgenn.frontend.call_order import ordered_calls
from kgenn.frontend.model_config import OPERATION, LayerEntry, ModelEntry, Path
from kgenn.frontend.references import Call, Reference
from kgenn.ir.graph import Graph, Input, Layer, Node, Shape
from kgenn.layers import LAYERS
from kgenn.layers.config import LayerConfig
from kgenn.layers.weights import Plan, Slot, StoredArray, Weights

# a tensor is the name of the node that computes it; None where that node could not be read
Tensor = str | None
Plans = Mapping[Path, Sequence[Slot]]


def build_graph(
    model: ModelEntry,
    source: str,
    arrays: Callable[[Plans], Mapping[Path, Sequence[StoredArray]]],
) -> Graph:
    """Build the graph of a model.

    The layers are read twice. The first time tells which arrays each layer will take, since a file may hold
    those of a nested model as one flat list; `arrays` finds them, and the second time takes them.

    Args:
        source: the file's name, for messages.
        arrays: from the path of each layer and what it takes, the arrays stored for it.
    """
    plans: dict[Path, Plan] = {}

    def plan(path: Path, where: str) -> Weights:
        plans[path] = Plan(where)
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
    """Collect the nodes of a graph, and the diagnostics of the layers that cannot be read."""

    source: str
    weights_of: Callable[[Path, str], Weights]
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    errors: dict[Diagnostic, None] = field(default_factory=dict)
    keras_2: bool = False

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.source)

    def build(self, model: ModelEntry) -> Graph:
        """Return the graph, or raise every diagnostic at once."""
        self.keras_2 = model.keras_2
        outputs = self.expand(model, None, (), "")
        if self.errors:
            raise KgennError(self.errors)
        return Graph(model.name, tuple(self.nodes), tuple(name for name in outputs if name is not None))

    def expand(self, model: ModelEntry, inputs: Sequence[Tensor] | None, path: Path, scope: str) -> list[Tensor]:
        """Inline a model called on the given tensors, or the whole model on new Input nodes; return its outputs.

        Args:
            path: the names of the models around it.
            scope: what the names of its nodes begin with.
        """
        where = f"{self.source}: {'/'.join(path) or model.name}"
        values: dict[Reference, Tensor] = {}
        if inputs is not None and len(inputs) != len(model.inputs):
            what = f"has {len(model.inputs)} inputs, but is called on {len(inputs)}"
            raise fail("KG108", where, what, "save the model again")
        for ref, tensor in zip(model.inputs, inputs or (), strict=inputs is not None):
            values[ref] = tensor
        for entry, index, call in ordered_calls(model, where):
            if Reference(entry.name, index) in values:
                continue
            name = f"{scope}{entry.name}" + (f":{index}" if index else "")
            arguments = [_lookup(values, ref, where) for ref in call.inputs]
            here = (*path, entry.name)
            self.bounds.count_calls()
            if entry.model is not None and not call.odd:
                results = self.expand(entry.model, arguments, here, f"{name}/")
            else:
                results = [self.leaf(entry, call, arguments, here, name)]
            values.update({Reference(entry.name, index, i): result for i, result in enumerate(results)})
        return [_lookup(values, ref, where) for ref in model.outputs]

    def leaf(self, entry: LayerEntry, call: Call, arguments: list[Tensor], path: Path, name: str) -> Tensor:
        """Read one call of a layer into nodes; return the name of the last, or None after an error."""
        config = LayerConfig("/".join(path), entry.class_name, entry.options, self.source, self.keras_2)
        shapes = tuple(self.shapes[tensor] for tensor in arguments if tensor is not None)
        try:
            _check_known(entry, call, config)
            if len(shapes) < len(arguments):
                return None
            weights = self.weights_of(path, f"{self.source}: {config.where}")
            chain = LAYERS.get(entry.reader)(config, weights, shapes)
            self.errors.update(dict.fromkeys(weights.finish()))
            outputs = _chain_shapes(chain, shapes)
        except KgennError as error:
            self.errors.update(dict.fromkeys(error.diagnostics))
            return None
        except ValueError as error:
            self.errors[_misfit(config, str(error))] = None
            return None
        inputs = tuple(tensor for tensor in arguments if tensor is not None)
        for node_name, layer, shape in zip(_chain_names(name, chain), chain, outputs, strict=True):
            self.bounds.count_layer(layer, tuple(self.shapes[tensor] for tensor in inputs), shape)
            unique = _unique(node_name, self.shapes)
            self.nodes.append(Node(unique, layer, inputs, config.where))
            self.shapes[unique] = shape
            inputs = (unique,)
        return inputs[0]


def _lookup(values: Mapping[Reference, Tensor], ref: Reference, where: str) -> Tensor:
    if ref not in values:
        what = f"reads output {ref.tensor} of call {ref.call} of {ref.layer!r}, which does not exist"
        raise fail("KG108", where, what, "save the model again")
    return values[ref]


def _check_known(entry: LayerEntry, call: Call, config: LayerConfig) -> None:
    """Raise the error that a layer's class or call is not one kgenn follows."""
    if entry.foreign == OPERATION:
        remedy = "use a layer instead, such as keras.layers.Add()([a, b]) for a + b"
        raise config.error("KG105", f"is {entry.foreign}", remedy)
    if entry.class_name == "Lambda":
        remedy = "replace it by a layer of Keras' own; kgenn runs no code from a model file"
        raise config.error("KG105", "holds Python code", remedy)
    if entry.foreign or (entry.model is None and entry.reader not in LAYERS):
        what = f"is {entry.foreign}" if entry.foreign else "is of a class that kgenn does not know"
        raise config.error("KG105", what, _remedy(entry))
    if call.odd:
        what = f"is called with {', '.join(call.odd)}, which kgenn does not follow"
        raise config.error("KG108", what, "call the layer on tensors alone, then save the model again")


def _remedy(entry: LayerEntry) -> str:
    if entry.reader == entry.class_name:
        return known_names(entry.class_name, LAYERS.names())
    return f"install a package that reads it: an entry point {entry.reader!r} in the group {LAYERS.group}"


def _misfit(config: LayerConfig, what: str) -> Diagnostic:
    return Diagnostic("KG108", f"{config.source}: {config.where}", what, "the model's layers do not fit together")


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
