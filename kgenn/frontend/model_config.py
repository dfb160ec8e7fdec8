"""Read a model's config, as Keras wrote it in JSON, into entries for its layers.

A Sequential model becomes a functional one, so that what follows knows one kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kgenn.diagnostics import fail
from kgenn.frontend.bounds import Bounds
from kgenn.frontend.config_text import check_name
from kgenn.frontend.graph_operations import read_graph_operation
from kgenn.frontend.masks import without_masks
from kgenn.frontend.references import Call, TensorReference, has_sorted_keys, is_reference, read_calls, references
from kgenn.ir.naming import Naming
from kgenn.layers import LAYERS, OPERATIONS
from kgenn.layers.config import plain

Path = tuple[str, ...]

MODEL_CLASSES = ("Model", "Functional", "Sequential")
# the packages whose classes are Keras' own
_PACKAGES = ("keras", "keras_core", "tf_keras", "tensorflow")
# the modules of Keras 3 whose classes are operations on tensors
_OPERATION_MODULES = (".ops.", ".activations.")
# what Keras 2 makes of a function of TensorFlow, which the config names, and of x[…]
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
# what TensorFlow 2.0 to 2.3 make of it: a node of a graph
_NODE = "TensorFlowOpLayer"


@dataclass(frozen=True, eq=False)
class LayerEntry:
    """One layer of a model.

    Attributes:
        reader: the name in `kgenn.layers.LAYERS` of what reads it: its class, after its package where that is not
            Keras' own, as in "my_package>MyLayer".
        options: its config.
        calls: its calls; an InputLayer has none.
        foreign: what it is, where its class is not a layer of Keras' own; else empty.
        operation: whether it is an operation on tensors; its reader is in `kgenn.layers.OPERATIONS` then.
        model: its layers, where it is a model itself, a pipeline, or a wrapper of what is applied.
        wraps: what TimeDistributed applies to each step, a "layer" or a "model"; "normalised" of a layer whose
            kernel training normalises, and inference takes as it is; else empty.
    """

    name: str
    class_name: str
    reader: str
    options: Mapping[str, Any]
    calls: tuple[Call, ...] = ()
    foreign: str = ""
    operation: bool = False
    model: ModelEntry | None = None
    wraps: Literal["", "layer", "model", "normalised"] = ""


@dataclass(frozen=True, eq=False)
class ModelEntry:
    """A model: its layers in the order of the file, and the tensors that are its inputs and outputs.

    Attributes:
        given, keys: of the inputs and of the outputs, in order, where the model has a dictionary of them. What is
            nested, in a dictionary or a list, goes by the names of layers.
        by_name: Keras may have changed the order of the inputs, and of the outputs, in dictionaries.
    """

    name: str
    layers: tuple[LayerEntry, ...]
    inputs: tuple[TensorReference, ...]
    outputs: tuple[TensorReference, ...]
    given: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    by_name: tuple[bool, bool] = (False, False)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs, as Keras has them: keys, in order, or layers."""
        return self.given or tuple(ref.layer for ref in self.inputs)

    @property
    def naming(self) -> Naming:
        """Return what else there is to these names."""
        pairs = zip((ref.layer for ref in self.inputs), self.input_names, strict=True)
        return Naming(tuple(pair for pair in pairs if pair[0] != pair[1]), *self.by_name, bool(self.keys))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Return the names of the outputs, as Keras has them: keys, or layers, numbered where one comes again."""
        names: list[str] = []
        for name in self.keys or (ref.layer for ref in self.outputs):
            again = (f"{name}_{count}" for count in range(1, len(names) + 1))
            names.append(name if name not in names else next(n for n in again if n not in names))
        return tuple(names)

    @property
    def keras_2(self) -> bool:
        """Tell whether Keras 2 wrote it, which names the shape of an input as Keras 3 does not."""
        return any("batch_input_shape" in entry.options for _, entry in self.leaves())

    def leaves(self, path: Path = ()) -> Iterator[tuple[Path, LayerEntry]]:
        """Yield every layer that is not a model, with the path to it, in the order of the file."""
        for entry in self.layers:
            if entry.model is None:
                yield (*path, entry.name), entry
            else:
                yield from entry.model.leaves((*path, entry.name))


def read_model(data: Any, source: str) -> ModelEntry:
    """Read a whole model's config; `source` is the file, for messages."""
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        raise fail("KG102", source, "holds a model config without a class name", "save the model again")
    class_name, _, foreign = _own_class(data)
    if foreign or class_name not in MODEL_CLASSES or not _layer_list(data.get("config")):
        raise fail(
            "KG105",
            source,
            f"holds a model of class {data['class_name']}; known: Sequential and Functional with layers",
            "build the same layers with keras.Model(inputs, outputs), copy the weights, and save that",
        )
    return _model(class_name, data["config"], source, "model")


def named(data: Any, names: Sequence[str]) -> Any:
    """Return a whole model's config with the names of its layers, where each has one.

    Keras before 2.2.3 wrote a Sequential model as the bare list of its layers, so that one within another has no
    name but that of its arrays.
    """
    layers = _layer_list(data.get("config")) if isinstance(data, Mapping) else []
    if not layers or data.get("class_name") != "Sequential" or len(layers) != len(names):
        return data
    nameless = (isinstance(item, Mapping) and isinstance(item.get("config"), list) for item in layers)
    renamed = [{"name": n, **i} if bare else i for i, n, bare in zip(layers, names, nameless, strict=True)]
    config = {**data["config"], "layers": renamed} if isinstance(data["config"], Mapping) else renamed
    return {**data, "config": config}


def _model(class_name: str, config: Any, source: str, default_name: str) -> ModelEntry:
    where = f"{source}: {default_name}"
    name = str(config.get("name", default_name)) if isinstance(config, Mapping) else default_name
    check_name(name, source)
    Bounds(source).count_calls(len(_layer_list(config)))
    items = without_masks(_layer_list(config))
    layers = tuple(_layer(item, str(i), where, source) for i, item in enumerate(items))
    names = Counter(entry.name for entry in layers)
    for duplicate in sorted(name for name, count in names.items() if count > 1):
        raise fail("KG108", where, f"has two layers named {duplicate!r}", "give every layer a name of its own")
    if class_name == "Sequential":
        return _sequential(name, layers, config)
    ends = config if isinstance(config, Mapping) else {}
    inputs, outputs = (references(ends.get(key)) for key in ("input_layers", "output_layers"))
    if not inputs or not outputs:
        raise fail("KG108", where, "lacks input_layers or output_layers", "save the model again")
    keras_3 = any(call.keras_3 for entry in layers for call in entry.calls)
    given, keys = (_keys(ends[key], source) for key in ("input_layers", "output_layers"))
    by_name = (not has_sorted_keys(ends["input_layers"]), not has_sorted_keys(ends["output_layers"]))
    return _from_zero(ModelEntry(name, layers, inputs, outputs, given, keys, by_name), keras_3)


def _keys(ends: Any, source: str) -> tuple[str, ...]:
    """Return the keys of a dictionary of tensors, in order; nothing for anything else."""
    if not isinstance(ends, Mapping) or not all(is_reference(tensor) for tensor in ends.values()):
        return ()
    return tuple(check_name(str(key), source) for key in sorted(ends))


def _layer_list(config: Any) -> list[Any]:
    """Return the layers of a model's config; Keras 2.2 wrote a Sequential config as the bare list."""
    layers = config.get("layers") if isinstance(config, Mapping) else config
    return layers if isinstance(layers, list) else []


def _layer(item: Any, number: str, where: str, source: str) -> LayerEntry:
    """Read an entry of a model's layers.

    One without a name gets one of its class and its number: a Sequential model of old, and a custom layer, for
    which Keras 3 leaves the name out where the class has no `get_config` of its own.
    """
    config = item.get("config") if isinstance(item, Mapping) else None
    if config is None or not isinstance(item.get("class_name"), str):
        raise fail("KG107", where, "has a layer without a class name or config", "save the model again")
    options = config if isinstance(config, Mapping) else {}
    class_name, reader, foreign = _own_class(item)
    own_name = item.get("name") or options.get("name") or f"{class_name.lower()}_{number}"
    name = check_name(str(own_name), where)
    operation = not foreign and _is_operation(item, class_name)
    if operation and class_name in _FUNCTIONS:
        reader = f"tf.{options.get('function')}"
    try:
        calls = read_calls(item.get("inbound_nodes"), "" if foreign else class_name, operation)
        if operation and class_name == _NODE:
            reader, options, calls = read_graph_operation(options, calls)
    except ValueError as error:
        raise fail("KG108", f"{where}/{name} ({class_name})", str(error), "save the model again") from None
    entry = LayerEntry(name, class_name, reader, options, calls, foreign, operation)
    if class_name in MODEL_CLASSES and not foreign and _layer_list(config):
        return replace(entry, model=_model(class_name, config, source, name))
    if class_name == "TimeDistributed":
        return _per_step(entry, f"{where}/{name}", source)
    if foreign or class_name not in ("Pipeline", "SpectralNormalization"):
        return entry
    inner = _layer_list(config) if class_name == "Pipeline" else [options.get("layer")]
    within = tuple(_layer(each, str(i), f"{where}/{name}", source) for i, each in enumerate(inner))
    chained = _sequential(name, within, {}) if within else None
    return replace(entry, model=chained, wraps="" if class_name == "Pipeline" else "normalised")


def _per_step(entry: LayerEntry, where: str, source: str) -> LayerEntry:
    """Return TimeDistributed with the layer that it applies, as a model of this one, or with the model."""
    inner = _layer(entry.options.get("layer"), "0", where, source)
    if inner.model is not None and not inner.wraps:
        return replace(entry, model=inner.model, wraps="model")
    return replace(entry, model=_sequential(entry.name, (inner,), {}), wraps="layer")


def _own_class(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return a layer's class name, the name of its reader, and what it is if neither Keras nor kgenn has it."""
    package, _, class_name = item["class_name"].rpartition(">")
    registered = str(item.get("registered_name") or "").rpartition(">")[0]
    module = item.get("module", "keras")
    if ".applications." in str(module) and str(module).partition(".")[0] in _PACKAGES:
        registered = ""  # the classes of keras.applications are registered as a user's would be
    for owner in (package, registered, str(module).partition(".")[0] if module else "an unknown module"):
        if owner and owner not in _PACKAGES:
            reader = f"{owner}>{class_name}"
            return class_name, reader, "" if reader in LAYERS else f"a custom class of {owner}"
    return class_name, class_name, ""


def _is_operation(item: Mapping[str, Any], class_name: str) -> bool:
    """Tell whether an entry is an operation on tensors, not a layer."""
    module = str(item.get("module", ""))
    if class_name in (*_FUNCTIONS, _NODE) or any(part in module for part in _OPERATION_MODULES):
        return True
    # an .h5 file does not say the module, but a layer has one of these entries, and most operations neither
    config = item.get("config")
    if not isinstance(config, Mapping) or "trainable" in config or class_name in (*MODEL_CLASSES, "Pipeline"):
        return False
    if class_name in LAYERS and class_name not in OPERATIONS:  # in a config that was written by hand
        return False
    return "dtype" not in config or class_name not in LAYERS


def _sequential(name: str, layers: tuple[LayerEntry, ...], config: Any) -> ModelEntry:
    """Chain the layers, each called on the one before; the first is called on an InputLayer, new if needed."""
    first = layers[0]
    if first.class_name != "InputLayer":
        options = {"name": f"{first.name}_input", "batch_shape": _input_shape(layers, config)}
        layers = (LayerEntry(str(options["name"]), "InputLayer", "InputLayer", options), *layers)
    chained = [layers[0]]
    for entry in layers[1:]:
        chained.append(replace(entry, calls=(Call((TensorReference(chained[-1].name),)),)))
    return ModelEntry(
        name, tuple(chained), (TensorReference(chained[0].name),), (TensorReference(chained[-1].name),)
    )


def _input_shape(layers: tuple[LayerEntry, ...], config: Any) -> Any:
    """Return the shape that a Sequential model's first layer, or the model, was built with; None if unknown.

    One that leaves a size open, as that of a nested model may, counts less than one that does not.
    """
    entry = layers[0]
    if entry.model is not None:
        source = entry.model.inputs[0].layer
        entry = next((leaf for leaf in entry.model.layers if leaf.name == source), entry)
    build = config.get("build_input_shape") if isinstance(config, Mapping) else None
    found = (*(entry.options.get(key) for key in ("batch_input_shape", "batch_shape")), build)
    shapes = [shape for shape in map(plain, found) if isinstance(shape, list)]
    return next((shape for shape in shapes if None not in shape[1:]), shapes[0] if shapes else None)


def _from_zero(model: ModelEntry, keras_3: bool) -> ModelEntry:
    """Count the calls of nested models from 0.

    A model built on an input of its own has that as call 0, so that Keras 2 counts its calls in others from 1.
    Keras 3 does so too for the outputs of a model, but not within it.
    """
    within = [ref for entry in model.layers for call in entry.calls for ref in call.inputs]
    nested = {entry.name: entry.class_name for entry in model.layers if entry.model is not None}
    first: dict[str, int] = {}
    last = {name: 1 for name, class_name in nested.items() if class_name != "Sequential"}
    if not keras_3:
        for ref in (*within, *model.outputs):
            if ref.layer in nested:
                first[ref.layer] = min(ref.call, first.get(ref.layer, ref.call))
        last = first

    def shift(ref: TensorReference, offsets: Mapping[str, int]) -> TensorReference:
        return replace(ref, call=max(0, ref.call - offsets.get(ref.layer, 0)))

    layers = []
    for entry in model.layers:
        calls = (replace(c, inputs=tuple(shift(ref, first) for ref in c.inputs)) for c in entry.calls)
        layers.append(replace(entry, calls=tuple(calls)))
    return replace(model, layers=tuple(layers), outputs=tuple(shift(ref, last) for ref in model.outputs))
