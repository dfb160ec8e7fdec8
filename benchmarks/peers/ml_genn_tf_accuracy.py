"""Convert a network with ml_genn_tf, run it on GeNN's CPU backend, and print accuracy and CPU times.

    python -m benchmarks.peers.ml_genn_tf_accuracy network.npz data.npz data-norm -T 64

`network.npz` is that of `benchmarks.peers.portable`, `data.npz` has calibration and x of shape (N, height,
width, C), float32 as the network takes them, and y. Runs in an environment of its own: pygenn, ml_genn and
ml_genn_tf from their sources, tensorflow and tf_keras. Inputs are those of integrate-and-fire neurons. GeNN 5.4
fails to fill sparse matrices from kernels that differ in shape (repaired by its pull request 758): the synapses
of a convolution are listed here.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf
from ml_genn.connectivity import AvgPoolConv2D, Conv2D
from ml_genn.utils.connectivity import PadMode, get_conv_same_padding
from ml_genn_tf.converters import DataNorm, FewSpike, Simple, spike_normalise
from pygenn import SynapseMatrixType

from benchmarks.peers.ml_genn_options import cpu_seconds, parser_of
from kgenn.backends.render import render

PARTS: dict[str, Any] = {"np": np}
exec(render("python/synapses.py.j2", {"listed": {"convolution", "pool"}}), PARTS)


def keras_model(path: Path) -> Any:
    """Return the network in Keras 2, with a softmax in its last layer, as ml_genn_tf wants it."""
    with np.load(path) as file:
        layers, arrays = json.loads(str(file["layers"])), dict(file)
    final = [layer["name"] for layer in layers if layer["kind"] == "dense"][-1]
    values: dict[str, Any] = {}
    kernels: list[tuple[Any, Any]] = []
    maps: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        name, kind, sources = layer["name"], layer["kind"], layer["inputs"]
        if kind == "input":
            values[name] = first = tf.keras.Input(layer["shape"])
            continue
        if kind == "softmax":
            break
        before = [values[source] for source in sources]
        kernel = arrays.get(f"{name}.kernel")
        if f"{name}.bias" in arrays:
            raise SystemExit(f"ml_genn_tf takes no biases: {name}")
        if kernel is not None and kind == "dense" and sources[0] in maps:
            height, width, channels = maps[sources[0]]
            kernel = kernel.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(kernel), -1)
        built = _keras_layer(layer, kernel)
        if name == final:
            built.activation = tf.keras.activations.softmax
        values[name] = last = built(before if kind == "add" else before[0])
        if kind == "flatten":
            maps[name] = tuple(before[0].shape[1:])
        elif sources[0] in maps and kind == "relu":
            maps[name] = maps[sources[0]]
        if kernel is not None:
            kernels.append((built, kernel.T if kind == "dense" else kernel.transpose(2, 3, 1, 0)))
    model = tf.keras.Model(first, last)
    for built, kernel in kernels:
        built.set_weights([kernel])
    return model


def _keras_layer(layer: dict[str, Any], kernel: Any) -> Any:
    """Return the layer of Keras that is one of `benchmarks.peers.portable`."""
    match layer["kind"]:
        case "conv":
            padding = "same" if any(map(any, layer["pads"])) else "valid"
            size, strides = kernel.shape[2:], layer["strides"]
            return tf.keras.layers.Conv2D(len(kernel), size, strides, padding, use_bias=False)
        case "dense":
            return tf.keras.layers.Dense(len(kernel), use_bias=False)
        case "average-pool":
            return tf.keras.layers.AveragePooling2D(layer["size"], layer["strides"])
        case "relu":
            return tf.keras.layers.ReLU()
        case "flatten":
            return tf.keras.layers.Flatten()
        case "add":
            return tf.keras.layers.Add()
    raise SystemExit(f"ml_genn_tf takes no {layer['kind']}: {layer['name']}")


def list_synapses(kind: Any) -> None:
    """Let a convolution of mlGeNN list its synapses where the compiler wants them in memory."""
    original = kind.get_snippet

    def get_snippet(self: Any, connection: Any, supported: Any) -> Any:
        snippet = original(self, connection, supported)
        if snippet.matrix_type != SynapseMatrixType.SPARSE:
            return snippet
        source = connection.source().shape
        image = getattr(self, "pool_output_shape", source)
        same = self.conv_padding == PadMode.SAME
        sizes = zip(image, self.conv_size, self.conv_strides, strict=False)
        before = [get_conv_same_padding(*size) if same else 0 for size in sizes]
        area = np.prod(getattr(self, "pool_size", (1, 1)))
        listed = PARTS["convolution_synapses"](
            self.weight / area, image, self.output_shape, before, self.conv_strides
        )
        if kind is AvgPoolConv2D:
            listed = PARTS["after_pool"](listed, source, image, self.pool_size, self.pool_strides)
        pre, post, weight = listed
        return snippet._replace(snippet=None, weight=weight, pre_ind=pre, post_ind=post)

    kind.get_snippet = get_snippet


def main() -> None:
    """Convert, run and print a JSON object."""
    options = parser_of(__doc__, "network").parse_args()
    with np.load(options.data) as data:
        calibration, x, y = data["calibration"], data["x"], data["y"].ravel()
    steps = options.timesteps
    for kind in (Conv2D, AvgPoolConv2D):
        list_synapses(kind)
    model = keras_model(options.network)
    ann = float(np.mean(model.predict(x, verbose=0).argmax(axis=1) == y))
    os.chdir(tempfile.mkdtemp())  # GeNN writes its code there
    norm = [(calibration[i : i + 1], np.zeros(1)) for i in range(len(calibration))]
    start = cpu_seconds()
    if options.converter == "few-spike":
        converter = FewSpike(k=steps, norm_data=[norm])
    elif options.converter == "data-norm":
        converter = DataNorm(steps, norm_data=[norm], input_type="if")
    else:
        converter = Simple(steps, input_type="if")
    net, inputs, outputs, _ = converter.convert(model)
    backend = {"backend": "single_threaded_cpu"}
    if options.converter == "spike-norm":
        # as in mlGeNN's own example; the function keeps the thresholds that it finds to itself
        spike_normalise(net, inputs, outputs, norm, steps, num_batches=len(norm), **backend)
    compiled = converter.create_compiler(**backend).compile(net, "run", inputs=inputs, outputs=outputs)
    with compiled:
        converted = cpu_seconds()
        if options.converter == "few-spike":
            metrics, _ = compiled.evaluate_batch_iter(inputs, outputs, iter(_single(x, y)), len(x), callbacks=[])
        else:
            metrics, _ = compiled.evaluate({inputs[0]: x}, {outputs[0]: y}, callbacks=[])
        simulated = cpu_seconds() - converted
    found = {"ann": ann, "accuracy": float(metrics[outputs[0]].result), "images": len(x)}
    print(json.dumps({**found, "cpu_s": cpu_seconds() - start, "simulate_cpu_s": simulated}))


def _single(x: Any, y: Any) -> list[tuple[Any, Any]]:
    """Return batches of one sample."""
    return [(x[i : i + 1], y[i : i + 1]) for i in range(len(x))]


if __name__ == "__main__":
    main()
