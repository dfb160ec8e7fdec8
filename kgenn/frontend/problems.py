"""Say why a layer or an operation is not read; the same reason of many layers is one diagnostic."""

from __future__ import annotations

from collections.abc import Mapping

from kgenn.diagnostics import Diagnostic, known_names
from kgenn.frontend.model_config import LayerEntry
from kgenn.frontend.references import Call
from kgenn.layers import LAYERS, OPERATIONS
from kgenn.layers.config import LayerConfig
from kgenn.layers.training import AUGMENTATIONS

# Layers that a diagnostic names before it counts the others.
MAX_NAMES = 6
LISTS_LAYERS, LISTS_OPERATIONS = "kgenn list layers", "kgenn list operations"

_RECURRENT = (
    "is recurrent, and kgenn reads only feed-forward networks",
    "use convolutions over time, such as Conv1D with padding='causal' and dilation",
)
_LOOKUP = (
    "looks values up in a table, and the inputs of a spiking network are values themselves",
    "do this before the model: build the layers after it on an Input of what it gives, and copy their weights",
)
_BEFORE = "do this before the model, to its data, and build the layers after it on an Input of what it gives"
_SPECTRUM = ("computes spectra of sounds, which kgenn does not", _BEFORE)
_OF_IMAGES = ("changes each image by what is in it, at inference too", _BEFORE)
_BOXES = ("is of bounding boxes, and the inputs of a spiking network are values", _BEFORE)
_COLUMNS = ("is of feature columns, and the inputs of a spiking network are values", _BEFORE)
_FRAMEWORK = (
    "runs code of another framework, which kgenn does not",
    "build the same computation of Keras' own layers, and copy the weights",
)
_ABSTRACT = ("is a base class, which computes nothing of its own", "save a model of layers that compute")
_LAMBDA = (
    "holds Python code",
    "replace it by a layer of Keras' own, such as Rescaling for x / 255, or by an operation such as "
    "keras.ops.relu(x); kgenn runs no code from a model file",
)
# classes that kgenn knows and does not read, and what to do without them
_REFUSED: dict[str, tuple[str, str]] = {
    "Lambda": _LAMBDA,
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), _SPECTRUM),
    **dict.fromkeys(("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"), _OF_IMAGES),
    "MaxNumBoundingBoxes": _BOXES,
    "DenseFeatures": _COLUMNS,
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), _FRAMEWORK),
    **dict.fromkeys(("Layer", "PreprocessingLayer", "Wrapper"), _ABSTRACT),
}
# the kinds of layers that no feed-forward network of values has, and what to do without them
_OUTSIDE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            *("AbstractRNNCell", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM2DCell", "ConvLSTM3D"),
            *(
                "CuDNNGRU",
                "CuDNNLSTM",
                "GRU",
                "GRUCell",
                "GRUV1",
                "LSTM",
                "LSTMCell",
                "LSTMV1",
                "RNN",
                "SimpleRNN",
            ),
            *("SimpleRNNCell", "StackedRNNCells"),
        ),
        _RECURRENT,
    ),
    **dict.fromkeys(
        (
            *("CategoryEncoding", "Discretization", "Embedding", "HashedCrossing", "Hashing", "IntegerLookup"),
            *("ReversibleEmbedding", "StringLookup", "TextVectorization"),
        ),
        _LOOKUP,
    ),
}


def check_known(entry: LayerEntry, call: Call, config: LayerConfig) -> None:
    """Raise the error that a layer's class or call is not one kgenn follows."""
    if entry.class_name in _OUTSIDE and not entry.foreign:
        raise config.error("KG111", *_OUTSIDE[entry.class_name])
    if entry.class_name in _REFUSED and not entry.foreign:
        raise config.error("KG105", *_REFUSED[entry.class_name])
    if entry.foreign:
        raise config.error("KG105", f"is {entry.foreign}", _remedy(entry))
    if entry.operation and entry.reader not in OPERATIONS:
        what = f"is the operation {entry.reader}, which kgenn does not know"
        raise config.error("KG105", what, f"use a layer of keras.layers; {_known_operations(entry.reader)}")
    if not entry.operation and entry.model is None and entry.reader not in LAYERS:
        raise config.error("KG105", "is of a class that kgenn does not know", _remedy(entry))
    _check_call(entry, call, config)


def _check_call(entry: LayerEntry, call: Call, config: LayerConfig) -> None:
    """Raise the error that a layer is called in another way than on tensors, or note what that does not change.

    A node of Keras 3 that says `training=True` acts as at inference in `predict`, and one of Keras 2 does not.
    """
    odd = call.odd
    if call.training and not call.keras_3:
        if entry.reader in AUGMENTATIONS:
            config.notes.append(f"{config.name}: called with training=True, and read as at inference")
        else:
            odd = (*odd, "training=True")
    if odd:
        what = f"is called with {', '.join(odd)}, which kgenn does not follow"
        raise config.error("KG108", what, "call the layer on tensors only, then save the model again")


def _remedy(entry: LayerEntry) -> str:
    plug_in = f"install a package that reads it: an entry point {entry.reader!r} in the group {LAYERS.group}"
    own = "build the model with layers of Keras' own that compute the same, and copy the weights with set_weights"
    if entry.reader != entry.class_name:
        return f"{own}, or {plug_in}"
    known = known_names(entry.class_name, LAYERS.names(), LISTS_LAYERS)
    return f"if the class is yours, {own}, or {plug_in}; {known}"


def _known_operations(name: str) -> str:
    """List the operations of the notation that a name is in."""
    keras_2 = name.startswith("tf.")
    notation = (known for known in OPERATIONS.names() if known.startswith("tf.") == keras_2)
    return known_names(name, notation, LISTS_OPERATIONS)


def by_class(found: Mapping[Diagnostic, LayerConfig]) -> list[Diagnostic]:
    """Return one diagnostic for all layers of a class that have the same problem, in the order of the first.

    Args:
        found: each diagnostic with the layer in which it came up.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for diagnostic, layer in found.items():
        # another place is that of something within the layer
        source, name, class_name = "", diagnostic.where, ""
        if diagnostic.where == layer.place:
            source, name, class_name = f"{layer.source}: ", layer.name, f" ({layer.class_name})"
        groups.setdefault((diagnostic.code, source, class_name, diagnostic.what, diagnostic.help), []).append(name)
    return [
        Diagnostic(code, f"{source}{_listed(names)}{class_name}", what, help)
        for (code, source, class_name, what, help), names in groups.items()
    ]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
