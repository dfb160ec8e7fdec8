"""Functions of TensorFlow that Keras 2 stored as layers are computed as TensorFlow computes them.

The nodes are written as Keras 2.15 wrote them: the first argument is the node, the others stand by name beside it.
"""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.frontend import load
from model_files import layer, only_error, write

IMAGE = (4, 6, 3)
RNG = np.random.default_rng(1)
X, Y = (RNG.normal(size=(2, *IMAGE)).astype(np.float32) for _ in range(2))
ALL = {"start": None, "stop": None, "step": None}


def model(path, *entries, outputs=("y",), second=False):
    """Write a model of one image or of two, without weights."""
    inputs = [layer("InputLayer", name, [], batch_shape=[None, *IMAGE]) for name in ("x", "z")[: 1 + second]]
    ends = {
        "input_layers": [[entry["name"], 0, 0] for entry in inputs],
        "output_layers": [list(output) if isinstance(output, tuple) else [output, 0, 0] for output in outputs],
    }
    return write(path, *inputs, *entries, class_name="Functional", **ends)


def call(function, node, name="y"):
    """Return the entry of a function that is called once."""
    kind = "SlicingOpLambda" if function == "__operators__.getitem" else "TFOpLambda"
    return layer(kind, name, [node], function=function)


def on_x(**keywords):
    return ["x", 0, 0, {**keywords, "name": None}]


def resized(x):
    """Return images of half the height and thrice the width, bilinear with half-pixel centres."""
    rows = (x[:, ::2] + x[:, 1::2]) / 2
    places = np.clip((np.arange(18) + 0.5) / 3 - 0.5, 0, 5)
    low = np.floor(places).astype(int)
    share = (places - low)[None, None, :, None]
    return rows[:, :, low] * (1 - share) + rows[:, :, np.minimum(low + 1, 5)] * share


# a function, the node that calls it, and what it gives
CALLS = {
    "divide": ("math.truediv", on_x(y=127.5), X / 127.5),
    "subtract": ("math.subtract", on_x(y=[1.0, 2.0, 3.0]), X - np.array([1.0, 2.0, 3.0])),
    "constant first": ("math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0], "name": None}], 1 - X),
    "add": ("__operators__.add", on_x(y=["x", 0, 0]), X + X),
    "bias": ("nn.bias_add", on_x(bias=[1.0, -2.0, 0.5], data_format="NHWC"), X + np.array([1.0, -2.0, 0.5])),
    "square": ("math.square", on_x(), X**2),
    "power": ("math.pow", on_x(y=2), X**2),
    "relu": ("nn.relu", on_x(), np.maximum(X, 0)),
    "relu6": ("nn.relu6", on_x(), np.clip(X, 0, 6)),
    "leaky relu": ("nn.leaky_relu", ["x", 0, 0, {"alpha": 0.1}], np.where(X > 0, X, 0.1 * X)),
    "sigmoid": ("math.sigmoid", on_x(), 1 / (1 + np.exp(-X))),
    "clip": ("clip_by_value", on_x(clip_value_min=0, clip_value_max=1), np.clip(X, 0, 1)),
    "at least": ("math.maximum", on_x(y=0.5), np.maximum(X, 0.5)),
    "channels reversed": (
        "__operators__.getitem",
        ["x", 0, 0, {"slice_spec": [{"class_name": "__ellipsis__"}, {**ALL, "step": -1}]}],
        X[..., ::-1],
    ),
    "slices": (
        "__operators__.getitem",
        ["x", 0, 0, {"slice_spec": [ALL, {**ALL, "start": 1, "stop": -1}, 2, None]}],
        X[:, 1:-1, 2, None],
    ),
    "mean": ("math.reduce_mean", ["x", 0, 0, {"axis": [1, 2]}], X.mean((1, 2))),
    "maximum of pixels": (
        "math.reduce_max",
        ["x", 0, 0, {"axis": [1, 2], "keepdims": True}],
        X.max((1, 2))[:, None, None],
    ),
    "reshape": ("reshape", ["x", 0, 0, {"shape": [-1, 72]}], X.reshape(2, 72)),
    "transpose": (
        "compat.v1.transpose",
        ["x", 0, 0, {"perm": [0, 3, 1, 2], "name": "transpose", "conjugate": False}],
        X.transpose(0, 3, 1, 2),
    ),
    "pad": (
        "compat.v1.pad",
        ["x", 0, 0, {"paddings": [[0, 0], [1, 0], [2, 1], [0, 0]], "mode": "CONSTANT", "constant_values": 0}],
        np.pad(X, ((0, 0), (1, 0), (2, 1), (0, 0))),
    ),
    "concatenate": ("concat", [["x", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 1}]], np.concatenate([X, X], 1)),
    "stack": ("stack", [["x", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 1}]], np.stack([X, X], 1)),
    "space to depth": (
        "nn.space_to_depth",
        ["x", 0, 0, {"block_size": 2}],
        X.reshape(2, 2, 2, 3, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 12),
    ),
    "resize": ("image.resize", ["x", 0, 0, {"size": [2, 18]}], resized(X)),
    "patches": (
        "image.extract_patches",
        ["x", 0, 0, {"sizes": [1, 2, 3, 1], "strides": [1, 2, 3, 1], "rates": [1, 1, 1, 1], "padding": "VALID"}],
        X.reshape(2, 2, 2, 2, 3, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 2, 18),
    ),
    "average pool": (
        "nn.avg_pool2d",
        ["x", 0, 0, {"ksize": 2, "strides": [1, 2, 2, 1], "padding": "VALID"}],
        X.reshape(2, 2, 2, 3, 2, 3).mean((2, 4)),
    ),
    "max pool": (
        "nn.max_pool2d",
        ["x", 0, 0, {"ksize": [2, 3], "strides": [2, 3], "padding": "SAME", "data_format": "NHWC"}],
        X.reshape(2, 2, 2, 2, 3, 3).max((2, 4)),
    ),
    "gather": (
        "compat.v1.gather",
        on_x(indices=[2, 0], validate_indices=None, axis=-1, batch_dims=0),
        X[..., [2, 0]],
    ),
    "norm": ("compat.v1.norm", on_x(ord="euclidean", axis=-1, keepdims=None), np.sqrt((X**2).sum(-1))),
    "squared difference": ("math.squared_difference", on_x(y=0.5), (X - 0.5) ** 2),
    "flatten": ("keras.backend.batch_flatten", ["x", 0, 0, {}], X.reshape(2, 72)),
    "greyscale": ("image.rgb_to_grayscale", on_x(), X @ np.array([[0.2989], [0.587], [0.114]])),
    "zeros": ("zeros_like", on_x(), 0 * X),
    "ones": ("ones_like", on_x(), 0 * X + 1),
    "tile": ("tile", on_x(multiples=[1, 1, 2, 1]), np.tile(X, (1, 1, 2, 1))),
    "new axis": ("expand_dims", ["x", 0, 0, {"axis": -1}], X[..., None]),
    "matrix": (
        "linalg.matmul",
        ["x", 0, 0, {"b": [[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]]}],
        X @ np.array([[1, 2], [0, 1], [3, -1]]),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_function_of_one_image(name, tmp_path):
    function, node, expected = CALLS[name]
    found = load(model(tmp_path / "m.h5", call(function, node))).predict(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("math.subtract", X - Y),
        ("math.multiply", X * Y),
        ("math.divide", X / Y),
        ("math.minimum", np.minimum(X, Y)),
    ],
)
def test_a_function_of_two_images_in_the_order_of_its_arguments(function, expected, tmp_path):
    path = model(tmp_path / "m.h5", call(function, on_x(y=["z", 0, 0])), second=True)
    np.testing.assert_allclose(load(path).predict({"x": X, "z": Y}), expected, rtol=1e-5, atol=1e-6)


def test_parts_that_a_function_cuts_are_told_apart(tmp_path):
    split = call("split", ["x", 0, 0, {"num_or_size_splits": [2, 3, 1], "axis": 2}], "s")
    double = call("math.multiply", ["s", 0, 1, {"y": 2.0}])
    first, last = load(model(tmp_path / "m.h5", split, double, outputs=("y", ("s", 0, 2)))).predict(X)
    np.testing.assert_allclose(first, 2 * X[:, :, 2:5])
    np.testing.assert_allclose(last, X[:, :, 5:])


def test_moments_are_a_mean_and_a_variance(tmp_path):
    moments = call("nn.moments", ["x", 0, 0, {"axes": [1, 2], "keepdims": True}])
    mean, variance = load(model(tmp_path / "m.h5", moments, outputs=("y", ("y", 0, 1)))).predict(X)
    np.testing.assert_allclose(mean, X.mean((1, 2), keepdims=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, X.var((1, 2), keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "keywords", "word"),
    [
        ("reshape", {"shape": [-1, -1]}, "newshape"),
        ("reshape", {"shape": [["x", 0, 0], 72]}, "newshape"),
        ("math.truediv", {"y": 0.0}, "divide by"),
        ("math.subtract", {"y": "three"}, "x2"),
        ("math.pow", {"y": ["x", 0, 0]}, "exponent"),
        ("math.reduce_mean", {"axis": 0}, "axis"),
        ("math.reduce_mean", {}, "axis"),
        ("split", {"num_or_size_splits": 5, "axis": 1}, "equal parts"),
        ("compat.v1.pad", {"paddings": [[1, 0], [0, 0], [0, 0], [0, 0]]}, "pad_width"),
        ("image.resize", {"size": [2, 3], "method": "lanczos3"}, "interpolation"),
        ("nn.max_pool2d", {"ksize": 2, "strides": 2, "padding": "VALID", "data_format": "NCHW"}, "data_format"),
        ("gather", {"indices": [1], "axis": 1, "batch_dims": 1}, "batch_dims"),
        ("image.extract_patches", {"sizes": [2, 2, 2, 1], "padding": "SAME"}, "sizes"),
        ("tile", {"multiples": [2, 1, 1, 1]}, "repeats"),
        ("expand_dims", {"axis": 0}, "axis"),
    ],
)
def test_what_would_mix_samples_or_is_no_number_is_refused(function, keywords, word, tmp_path):
    path = model(tmp_path / "m.h5", call(function, ["x", 0, 0, keywords]))
    only_error(path, "KG107", "y (TFOpLambda)", word, "allowed")
