"""Layers that give an image another size are read as Keras computes them, from every format."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from keras import layers

from covering import covering
from keras_models import IMAGE, SEQUENCE, VOLUME, chain, randomise, twin_of_channels_first
from kgenn.diagnostics import KgennError
from test_against_keras import FORMATS, assert_equal_outputs, read, samples

TRANSPOSED = [
    {"kernel_size": size, "strides": strides, "padding": padding, "output_padding": more}
    for size, strides, padding in product((1, 2, 3, 4, 5), (1, 2, 3), ("valid", "same"))
    for more in (None, *range(strides))
    # TensorFlow computes no "same" of an even kernel without a pixel more
    if padding == "valid" or more is None or size % 2 + more > 0
]
CHAINS = {
    "upsampling1d": (SEQUENCE, [layers.UpSampling1D(3)]),
    "upsampling2d": (IMAGE, [layers.UpSampling2D((2, 3))]),
    **{
        f"upsampling2d bilinear {factors}": (IMAGE, [layers.UpSampling2D(factors, interpolation="bilinear")])
        for factors in (1, 2, 3, 4, (2, 5))
    },
    "upsampling2d bicubic": (IMAGE, [layers.UpSampling2D((2, 3), interpolation="bicubic")]),
    "upsampling2d bicubic of one": (IMAGE, [layers.UpSampling2D(1, interpolation="bicubic")]),
    **{
        f"resizing bicubic {size}": (IMAGE, [layers.Resizing(*size, "bicubic")])
        for size in ((5, 9), (1, 1), (17, 2))
    },
    "upsampling3d": (VOLUME, [layers.UpSampling3D((2, 1, 3))]),
    "cropping3d": (VOLUME, [layers.Cropping3D(((1, 0), (2, 1), (0, 3)))]),
    "transposed 3d": (VOLUME, [layers.Conv3DTranspose(3, (2, 3, 2), (1, 2, 3), "same")]),
    **{
        f"adaptive {kind.lower()} {counts}": (shape, [getattr(layers, f"Adaptive{kind}Pooling{rank}D")(counts)])
        for kind in ("Average", "Max")
        for rank, shape, counts in (
            (1, SEQUENCE, 4),
            (2, IMAGE, (3, 4)),
            (2, IMAGE, (9, 2)),
            (2, IMAGE, (4, 11)),
            (3, VOLUME, (2, 6, 3)),
        )
    },
    "cropping1d": (SEQUENCE, [layers.Cropping1D((1, 3))]),
    "cropping2d": (IMAGE, [layers.Cropping2D(((0, 2), (3, 1)))]),
    "cropping2d number": (IMAGE, [layers.Cropping2D(2)]),
    "cropping2d pair": (IMAGE, [layers.Cropping2D((1, 2))]),
    "transposed 2d": (IMAGE, [layers.Conv2DTranspose(3, (3, 2), (2, 3), "same", activation="relu")]),
    "transposed 2d output padding": (IMAGE, [layers.Conv2DTranspose(3, 3, 3, output_padding=(0, 2))]),
    "transposed 1d": (SEQUENCE, [layers.Conv1DTranspose(4, 3, 2, "same", activation="softmax")]),
    "autoencoder": (
        (8, 8, 2),
        [
            layers.Conv2D(3, 3, 2, "same", activation="relu"),
            layers.Conv2DTranspose(3, 3, 2, "same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Cropping2D(4),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ],
    ),
}


@pytest.mark.parametrize(("form", "name"), covering(FORMATS, CHAINS))
def test_forward_equals_keras(name, form, tmp_path):
    shape, stack = CHAINS[name]
    model = randomise(chain(shape, *(type(layer).from_config(layer.get_config()) for layer in stack)))
    inputs = samples(model)
    assert_equal_outputs(read(model, form, tmp_path), inputs, model(inputs[0], training=False))


@pytest.mark.parametrize("options", TRANSPOSED, ids=lambda o: "-".join(map(str, o.values())))
def test_every_transposed_convolution_lies_where_keras_has_it(options, tmp_path):
    model = randomise(chain(SEQUENCE, layers.Conv1DTranspose(2, **options)))
    inputs = samples(model)
    assert_equal_outputs(read(model, "live", tmp_path), inputs, model(inputs[0]))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_dilation_is_a_kernel_with_zeros_between_its_taps(padding, tmp_path):
    # which TensorFlow computes on CPUs, where it refuses a dilation
    options = {"filters": 3, "padding": padding}
    dilated = randomise(chain(IMAGE, layers.Conv2DTranspose(kernel_size=3, dilation_rate=(2, 3), **options)))
    kernel, bias = dilated.get_weights()
    wide = np.zeros((5, 7, *kernel.shape[2:]), np.float32)
    wide[::2, ::3] = kernel
    twin = chain(IMAGE, layers.Conv2DTranspose(kernel_size=(5, 7), **options))
    twin.set_weights([wide, bias])
    inputs = samples(twin)
    assert_equal_outputs(read(dilated, "keras", tmp_path), inputs, twin(inputs[0]))


@pytest.mark.parametrize(
    ("class_name", "options"),
    [
        ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("UpSampling2D", {"size": (2, 3)}),
        ("Cropping2D", {"cropping": ((1, 0), (2, 3))}),
        ("AdaptiveAveragePooling2D", {"output_size": (2, 3)}),
        ("AdaptiveMaxPooling2D", {"output_size": (4, 3)}),
    ],
)
def test_channels_first_equals_channels_last(class_name, options, tmp_path):
    first, last = (randomise(m) for m in twin_of_channels_first(class_name, options, IMAGE))
    (x,) = samples(last)
    graph = read(first, "h5", tmp_path)
    assert_equal_outputs(graph, [np.moveaxis(x, -1, 1)], np.moveaxis(np.asarray(last(x)), -1, 1))


def test_the_work_of_a_transposed_convolution_leaves_out_the_zeros(tmp_path):
    model = chain((5, 4, 3), layers.Conv2DTranspose(2, (3, 2), strides=(2, 3)))
    assert read(model, "live", tmp_path).macs == 5 * 4 * 3 * 2 * (3 * 2)


@pytest.mark.parametrize(
    ("made", "change", "words"),
    [
        (layers.UpSampling2D(2), {"interpolation": "lanczos9"}, "lanczos9"),
        (layers.UpSampling2D(2), {"size": (0, 2)}, "positive integers"),
        (layers.Cropping2D(1), {"cropping": ((1, -1), (0, 0))}, "number of pixels"),
        (layers.Cropping2D(1), {"cropping": ((5, 4), (0, 0))}, "leaves nothing of 9"),
        (layers.Conv2DTranspose(1, 2, 2), {"output_padding": (0, 2)}, "less than its stride"),
        (layers.Conv2DTranspose(1, 2, 2), {"groups": 2}, "allowed: 1"),
    ],
)
def test_what_keras_lacks_is_refused(made, change, words, tmp_path):
    model = chain(IMAGE, made)
    config = made.get_config() | change
    made.get_config = lambda: config
    with pytest.raises(KgennError, match=words):
        read(model, "live", tmp_path)
