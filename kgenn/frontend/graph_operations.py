"""Read what TensorFlow 2.0 to 2.3 made of a function that a model called: one node of a TensorFlow graph.

The config of a TensorFlowOpLayer holds the node: the name of its operation and its attributes, as JSON of a
protocol buffer. Inputs that are constants stand beside it, by their position; the others are the tensors that the
layer is called on, in order. Each such node is the call of a function of `kgenn.layers.operations`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kgenn.frontend.references import Call
from kgenn.layers.config import LARGEST_INTEGER, is_sizes, is_whole


@dataclass(frozen=True)
class _Function:
    """A function that an operation is.

    Attributes:
        name: in `kgenn.layers.operations`.
        inputs: the names of its arguments, in the order of the operation's inputs; "*" for a list of all that have
            no name after it.
        attributes: the name of the argument that each attribute of the operation is.
    """

    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)


_SLICE = ("begin", "end", "strides")
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
_KEEP = {"keep_dims": "keepdims"}
_UNARY = {
    **{name: f"tf.math.{name.lower()}" for name in ("Abs", "Exp", "Log", "Reciprocal", "Rsqrt", "Sigmoid")},
    **{name: f"tf.math.{name.lower()}" for name in ("Softplus", "Sqrt", "Square", "Tanh")},
    **{name: f"tf.nn.{name.lower()}" for name in ("Elu", "Relu", "Relu6", "Selu", "Softmax", "Softsign")},
    "Cast": "tf.cast",
    "Identity": "tf.identity",
    "Neg": "tf.math.negative",
    "StopGradient": "tf.stop_gradient",
    "LogSoftmax": "tf.nn.log_softmax",
}
_BINARY = {
    "Add": "tf.math.add",
    "AddV2": "tf.math.add",
    "Maximum": "tf.math.maximum",
    "Minimum": "tf.math.minimum",
    "Mul": "tf.math.multiply",
    "Pow": "tf.math.pow",
    "RealDiv": "tf.math.divide",
    "Sub": "tf.math.subtract",
}
_REDUCTIONS = {name: f"tf.math.reduce_{name.lower()}" for name in ("Max", "Mean", "Min", "Sum")}
_TABLE: dict[str, _Function] = {
    **{op: _Function(name, ("x",)) for op, name in _UNARY.items()},
    **{op: _Function(name, ("x", "y")) for op, name in _BINARY.items()},
    **{op: _Function(name, ("x", "axis"), _KEEP) for op, name in _REDUCTIONS.items()},
    "AddN": _Function("tf.math.add_n", ("*",)),
    "BatchMatMulV2": _Function("tf.linalg.matmul", ("a", "b"), {"adj_x": "transpose_a", "adj_y": "transpose_b"}),
    "BiasAdd": _Function("tf.nn.bias_add", ("value", "bias"), {"data_format": "data_format"}),
    "ConcatV2": _Function("tf.concat", ("*", "axis")),
    "DepthToSpace": _Function("tf.nn.depth_to_space", ("x",), {"block_size": "block_size"}),
    "ExpandDims": _Function("tf.expand_dims", ("x", "axis")),
    "LeakyRelu": _Function("tf.nn.leaky_relu", ("x",), {"alpha": "alpha"}),
    "MatMul": _Function(
        "tf.linalg.matmul", ("a", "b"), {"transpose_a": "transpose_a", "transpose_b": "transpose_b"}
    ),
    "MirrorPad": _Function("tf.pad", ("x", "paddings"), {"mode": "mode"}),
    "Pack": _Function("tf.stack", ("*",), {"axis": "axis"}),
    "Pad": _Function("tf.pad", ("x", "paddings")),
    "PadV2": _Function("tf.pad", ("x", "paddings", "constant_values")),
    "Reshape": _Function("tf.reshape", ("x", "shape")),
    "SpaceToDepth": _Function("tf.nn.space_to_depth", ("x",), {"block_size": "block_size"}),
    "StridedSlice": _Function("tf.__operators__.getitem", ("x", *_SLICE), {name: name for name in _MASKS}),
    "Squeeze": _Function("tf.squeeze", ("x",), {"squeeze_dims": "axis"}),
    "Tile": _Function("tf.tile", ("x", "multiples")),
    "Transpose": _Function("tf.transpose", ("x", "perm")),
}


def read_graph_operation(
    options: Mapping[str, Any], calls: Sequence[Call]
) -> tuple[str, Mapping[str, Any], tuple[Call, ...]]:
    """Return the function that a TensorFlowOpLayer calls, its options, and its calls with constants in place.

    An operation that is none of these keeps its name, behind `tf.raw_ops.`, so that the diagnostic says it.

    Raises:
        ValueError: where the node or the number of its inputs is not what TensorFlow writes.
    """
    node = options.get("node_def")
    operation = node.get("op") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(operation, str):
        raise ValueError("its node_def is not a node of a TensorFlow graph, written as JSON")
    if operation not in _TABLE:
        return f"tf.raw_ops.{operation}", options, tuple(calls)
    function, constants = _TABLE[operation], options.get("constants")
    named = _attributes(node.get("attr"), function)
    stored = constants if isinstance(constants, Mapping) else {}
    bound = tuple(replace(call, arguments=(), keywords=_arguments(function, call, stored)) for call in calls)
    if operation == "StridedSlice":
        bound = tuple(replace(c, keywords={"x": c.keywords["x"], "slice_spec": _items(c, named)}) for c in bound)
    return function.name, {**options, "function": function.name.removeprefix("tf."), **named}, bound


def _attributes(stored: Any, function: _Function) -> dict[str, Any]:
    """Return the attributes of a node that are arguments of the function."""
    found = {name: _value(entry) for name, entry in stored.items()} if isinstance(stored, Mapping) else {}
    return {new: found[old] for old, new in function.attributes.items() if found.get(old) not in (None, [])}


def _value(entry: Any) -> Any:
    """Return the value of an attribute, in which whole numbers are text, and text is in base 64."""
    if not isinstance(entry, Mapping) or len(entry) != 1:
        return None
    ((kind, value),) = entry.items()
    if kind == "list":
        numbers = value.get("i", []) if isinstance(value, Mapping) else []
        return [int(str(number)) for number in numbers] if isinstance(numbers, list) else None
    if kind == "i":
        return int(str(value))
    return b64decode(str(value)).decode("ascii") if kind == "s" else value


def _arguments(function: _Function, call: Call, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name: its tensors in order, and constants in their places."""
    tensors = list(call.arguments[0] if call.arguments and isinstance(call.arguments[0], list) else call.arguments)
    values: list[Any] = []
    while tensors or str(len(values)) in constants:
        place = str(len(values))
        values.append(constants[place] if place in constants else tensors.pop(0))
    names = function.inputs
    if names[0] == "*":
        cut = len(values) - len(names) + 1
        values = [values[:cut], *values[cut:]]
        names = ("x", *names[1:])
    if len(values) != len(names):
        raise ValueError(f"it has {len(values)} inputs where its operation has {len(names)}")
    return dict(zip(names, values, strict=True))


def _items(call: Call, masks: Mapping[str, Any]) -> list[Any]:
    """Return what a strided slice takes of each axis, as x[…] says it; bit i of a mask is of axis i."""
    ends = [call.keywords[name] for name in _SLICE]
    if not all(is_sizes(each, -LARGEST_INTEGER) for each in ends) or len({len(each) for each in ends}) != 1:
        raise ValueError(f"it slices from {ends[0]} to {ends[1]} by {ends[2]}, which are no lists of numbers")

    def has(mask: str, axis: int) -> bool:
        bits = masks.get(f"{mask}_mask", 0)
        return is_whole(bits) and bool(bits >> axis & 1)

    items: list[Any] = []
    for axis, (begin, end, stride) in enumerate(zip(*ends, strict=True)):
        if has("ellipsis", axis):
            items.append(...)
        elif has("new_axis", axis):
            items.append(None)
        elif has("shrink_axis", axis):
            items.append(begin)
        else:
            start, stop = None if has("begin", axis) else begin, None if has("end", axis) else end
            items.append(slice(start, stop, None if stride == 1 else stride))
    return items
