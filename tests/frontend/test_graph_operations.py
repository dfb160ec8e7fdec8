"""Nodes of TensorFlow graphs that TensorFlow 2.0 to 2.3 stored as layers are computed as TensorFlow computes them.

The entries are written as `TensorFlowOpLayer.get_config` wrote them: the node as JSON of its protocol buffer, and
constants by the position of the input that they are.
"""

from __future__ import annotations

from base64 import b64encode

import numpy as np
import pytest

from kgenn.frontend import load
from model_files import layer, only_error
from test_tensorflow_functions import X, Y, model

COLOURS = np.array([1.0, -2.0, 0.5])
MATRIX = np.arange(6.0).reshape(3, 2)


def text(word):
    return {"s": b64encode(word.encode()).decode()}


def whole(number):
    return {"i": str(number)}


def node(op, *inputs, constants=None, name="y", **attributes):
    """Return the entry of an operation on some tensors; those that are constants are named by their position."""
    stored = {str(place): np.asarray(value).tolist() for place, value in (constants or {}).items()}
    definition = {"name": op, "op": op, "attr": {"T": {"type": "DT_FLOAT"}, **attributes}}
    calls = [[[source, 0, 0, {}] for source in inputs]]
    return layer("TensorFlowOpLayer", name, calls, node_def=definition, constants=stored)


# an operation and what it gives of X and Y
NODES = {
    "divide": (node("RealDiv", "x", constants={1: 127.5}), X / 127.5),
    "constant first": (node("Sub", "x", constants={0: 1.0}), 1 - X),
    "add": (node("AddV2", "x", "z"), X + Y),
    "subtract": (node("Sub", "x", "z"), X - Y),
    "multiply": (node("Mul", "x", "z"), X * Y),
    "bias": (node("BiasAdd", "x", constants={1: COLOURS}, data_format=text("NHWC")), X + COLOURS),
    "relu": (node("Relu", "x"), np.maximum(X, 0)),
    "relu6": (node("Relu6", "x"), np.clip(X, 0, 6)),
    "leaky relu": (node("LeakyRelu", "x", alpha={"f": 0.1}), np.where(X > 0, X, 0.1 * X)),
    "sigmoid": (node("Sigmoid", "x"), 1 / (1 + np.exp(-X))),
    "tanh": (node("Tanh", "x"), np.tanh(X)),
    "reshape": (node("Reshape", "x", constants={1: [-1, 72]}), X.reshape(2, 72)),
    "mean": (node("Mean", "x", constants={1: [1, 2]}, keep_dims={"b": False}), X.mean((1, 2))),
    "kept": (node("Max", "x", constants={1: [1, 2]}, keep_dims={"b": True}), X.max((1, 2))[:, None, None]),
    "concatenate": (node("ConcatV2", "x", "z", constants={2: -1}, N=whole(2)), np.concatenate([X, Y], -1)),
    "stack": (node("Pack", "x", "z", axis=whole(1), N=whole(2)), np.stack([X, Y], 1)),
    "sum of a list": (node("AddN", "x", "z", "x"), X + Y + X),
    "pad": (
        node("Pad", "x", constants={1: [[0, 0], [1, 0], [2, 1], [0, 0]]}),
        np.pad(X, ((0, 0), (1, 0), (2, 1), (0, 0))),
    ),
    "mirrored": (
        node("MirrorPad", "x", constants={1: [[0, 0], [1, 2], [0, 0], [0, 0]]}, mode=text("REFLECT")),
        np.pad(X, ((0, 0), (1, 2), (0, 0), (0, 0)), "reflect"),
    ),
    "transpose": (node("Transpose", "x", constants={1: [0, 3, 1, 2]}), X.transpose(0, 3, 1, 2)),
    "matrix": (node("BatchMatMulV2", "x", constants={1: MATRIX}, adj_x={"b": False}), X @ MATRIX),
    "matrix turned": (node("BatchMatMulV2", "x", constants={1: MATRIX.T}, adj_y={"b": True}), X @ MATRIX),
    "matrices": (node("BatchMatMulV2", "x", "z", adj_y={"b": True}), X @ Y.transpose(0, 1, 3, 2)),
    "squeeze": (node("Squeeze", "x", squeeze_dims={"list": {}}), X),
    "reversed": (
        node(
            *("StridedSlice", "x"),
            constants={1: [0, 0], 2: [0, 0], 3: [1, -1]},
            begin_mask=whole(2),
            end_mask=whole(2),
            ellipsis_mask=whole(1),
        ),
        X[..., ::-1],
    ),
    "slices": (
        node(
            *("StridedSlice", "x"),
            constants={1: [0, 1, 2], 2: [0, 3, 3], 3: [1, 1, 1]},
            begin_mask=whole(1),
            end_mask=whole(1),
            shrink_axis_mask=whole(4),
        ),
        X[:, 1:3, 2],
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_node_is_computed_as_tensorflow_computes_it(name, tmp_path):
    entry, expected = NODES[name]
    graph = load(model(tmp_path / "m.h5", entry, second=True))
    np.testing.assert_allclose(graph.predict({"x": X, "z": Y}), expected, rtol=1e-5, atol=1e-6)


def test_an_operation_that_is_unknown_is_refused_by_its_name(tmp_path):
    path = model(tmp_path / "m.h5", node("FusedBatchNormV3", "x"))
    only_error(path, "KG105", "y (TensorFlowOpLayer)", "tf.raw_ops.FusedBatchNormV3")


@pytest.mark.parametrize(
    "entry",
    [
        layer("TensorFlowOpLayer", "y", [[["x", 0, 0, {}]]], node_def="bytes", constants={}),
        node("AddV2", "x"),
        node("Relu", "x", constants={1: 2.0}),
        node("Pack", "x", axis={"i": "one"}),
        node("MirrorPad", "x", constants={1: [[0, 0]]}, mode={"s": "é"}),
        node("StridedSlice", "x", constants={1: [0], 2: [0, 1], 3: [1]}),
        node("Squeeze", "x", squeeze_dims={"list": {"i": [None]}}),
    ],
    ids=["no node", "few inputs", "many inputs", "no number", "no text", "slices", "no numbers"],
)
def test_a_node_that_tensorflow_does_not_write_is_refused(entry, tmp_path):
    only_error(model(tmp_path / "m.h5", entry), "KG108", "y (TensorFlowOpLayer)")
