"""Small Keras models, one for each layer and option that kgenn reads."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

IMAGE = (9, 8, 4)
SEQUENCE = (11, 3)
VECTOR = (6,)
VOLUME = (5, 6, 7, 2)
VIDEO = (3, 9, 8, 2)


def randomise(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a random value; variances stay positive."""
    rng = np.random.default_rng(seed)
    values = [rng.uniform(0.2, 1.0, w.shape).astype(w.dtype) for w in model.weights]
    signs = [1.0 if "variance" in w.path else rng.choice([-1.0, 1.0], w.shape) for w in model.weights]
    model.set_weights([v * s if v.dtype.kind == "f" else v for v, s in zip(values, signs, strict=True)])
    for layer in (inner for outer in model.layers for inner in getattr(outer, "layers", [outer])):
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()  # copies its weights to where it computes with them
    return model


def chain(shape: tuple[int, ...], *stack: keras.layers.Layer) -> keras.Model:
    """Return a Sequential model of some layers."""
    return keras.Sequential([keras.Input(shape), *stack])


def pipeline() -> keras.Model:
    """Return a model that begins with a pipeline of layers, some with arrays, some for training alone."""
    x = keras.Input(IMAGE)
    stack = [layers.Rescaling(0.5), layers.Normalization(), layers.RandomFlip(), layers.Normalization(axis=1)]
    return keras.Model(x, layers.Conv2D(3, 2)(layers.Pipeline(stack)(x)))


def spectral() -> keras.Model:
    """Return a model with normalised kernels, one of them in a nested model beside other arrays."""
    x = keras.Input(IMAGE)
    block = chain(IMAGE, layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu")), layers.Conv2D(4, 1))
    return keras.Model(
        x, layers.SpectralNormalization(layers.Dense(3, use_bias=False))(layers.Flatten()(block(x)))
    )


def residual() -> keras.Model:
    x = keras.Input(IMAGE)
    y = layers.Conv2D(5, 3, padding="same", activation="relu")(x)
    z = layers.Conv2D(5, 1, use_bias=False)(x)
    y = layers.Add()([y, z, layers.Conv2D(5, 3, padding="same")(y)])
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.Flatten()(layers.ReLU()(y))))


def concatenated() -> keras.Model:
    x = keras.Input(IMAGE)
    a, b = layers.Conv2D(2, 3, strides=2, padding="same")(x), layers.AveragePooling2D(2, padding="same")(x)
    y = layers.Concatenate()([a, b])
    return keras.Model(x, layers.Concatenate(axis=1)([y, y]))


def merged(name: str, *shapes: tuple[int, ...], **options: object) -> keras.Model:
    """Return a model of inputs of some shapes that one layer merges."""
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, getattr(layers, name)(**options)(inputs))


def augmented() -> keras.Model:
    """Return a model with layers that change images in training, some called as in training."""
    x = keras.Input(IMAGE)
    y = layers.RandomRotation(0.2)(layers.RandomFlip()(x), training=True)
    return keras.Model(x, layers.Dropout(0.5)(layers.RandomZoom(0.2)(y), training=True))


def of_applications() -> keras.Model:
    """Return a model of the layers that keras.applications has of its own."""
    x = keras.Input(IMAGE)
    y = StochasticDepth(0.3)(LayerScale(0.5, 4)(layers.Dense(4)(x)))
    return keras.Model(x, CustomScaleLayer(scale=0.17)([x, y]))


def per_frame() -> keras.Model:
    """Return a model that is applied to each frame of a video, with branches and poolings inside."""
    x = keras.Input(VIDEO[1:])
    y = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.BatchNormalization()(layers.ZeroPadding2D(1)(y))
    y = layers.Concatenate()([y, layers.Conv2D(4, 1)(y)])
    y = layers.Add()([y, layers.DepthwiseConv2D(3, padding="same")(y)])
    y = layers.AveragePooling2D(2, padding="same")(layers.MaxPooling2D(2)(y))
    y = layers.Dense(5, activation="softmax")(layers.Flatten()(y))
    frame = keras.Model(x, y, name="frame")
    video = keras.Input(VIDEO)
    return keras.Model(video, layers.Conv1D(3, 2)(layers.TimeDistributed(frame)(video)))


def attended(
    *shapes: tuple[int, ...], kind: str = "MultiHeadAttention", call: dict | None = None, **options: object
) -> keras.Model:
    """Return a model with an attention of several heads on its inputs: a query, a value, perhaps a key.

    Args:
        call: further arguments of the call.
    """
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, getattr(layers, kind)(**options)(*inputs, **(call or {})))


def attended_by_name() -> keras.Model:
    """Return a model that names the tensors of its attentions, one in another order than they are declared in."""
    x, y = keras.Input(SEQUENCE), keras.Input((7, 5))
    z = layers.MultiHeadAttention(2, 3)(query=x, value=y)
    z = layers.MultiHeadAttention(2, 3)(z, key=y, value=layers.Dense(3)(y), return_attention_scores=False)
    return keras.Model([x, y], z)


def causal(kind: str, **options: object) -> keras.Model:
    """Return a model with an attention of rows to earlier ones."""
    x = keras.Input(SEQUENCE)
    layer = getattr(layers, kind)(**options)
    inputs = ([x, x],) if kind == "Attention" else (x, x)
    return keras.Model(x, layer(*inputs, use_causal_mask=True))


def masked() -> keras.Model:
    """Return a model whose later layers are given the mask of a Masking layer."""
    x, y = keras.Input(SEQUENCE), keras.Input(SEQUENCE)
    z = layers.Add()([layers.Dense(4)(layers.Masking(-7.0)(x)), layers.Dense(4)(layers.Masking()(y))])
    z = layers.MultiHeadAttention(2, 3)(z, z)
    return keras.Model([x, y], layers.GlobalAveragePooling1D()(z))


def transformer() -> keras.Model:
    x = keras.Input(SEQUENCE)
    y = layers.Dense(8)(x)
    z = layers.LayerNormalization()(y)
    y = layers.Add()([y, layers.MultiHeadAttention(2, 4)(z, z)])
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))


def inner(name: str) -> keras.Model:
    x = keras.Input(IMAGE)
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    y = layers.Conv2D(4, 1)(y)
    return keras.Model(x, layers.BatchNormalization()(y), name=name)


def nested() -> keras.Model:
    """Return models within models, one of them called twice, one frozen in part."""
    deepest = inner("deepest")
    deepest.layers[1].trainable = False
    x = keras.Input(IMAGE)
    middle = keras.Model(x, layers.Conv2D(4, 1)(deepest(layers.Conv2D(4, 1)(x))), name="middle")
    tail = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.5)], name="tail")
    x = keras.Input(IMAGE)
    y = middle(middle(layers.Conv2D(4, 1)(x)))
    return keras.Model(x, layers.Conv2D(2, 1)(tail(layers.Add()([x, y]))))


def frozen() -> keras.Model:
    """Return a nested model that is frozen as a whole, but for one layer set free again."""
    block = chain(IMAGE, *(layers.Conv2D(4, 1) for _ in range(3)), layers.BatchNormalization())
    block.trainable = False
    block.layers[1].trainable = True
    return chain(IMAGE, block, layers.Flatten(), layers.Dense(2))


def shared() -> keras.Model:
    """Return a model that calls layers twice, on one shape and on two."""
    twice, sizes = layers.Dense(4, activation="relu"), layers.Conv2D(4, 3, padding="same")
    x = keras.Input(IMAGE)
    y = twice(twice(x))
    y = layers.Add()([sizes(y), y])
    return keras.Model(x, sizes(layers.MaxPooling2D()(y)))


def two_inputs() -> keras.Model:
    a, b = keras.Input(VECTOR, name="zeta"), keras.Input(VECTOR, name="alpha")
    y = layers.Concatenate()([layers.Dense(3)(b), layers.Dense(4, activation="tanh")(a)])
    return keras.Model([a, b], [layers.Dense(2, name="first")(y), layers.Activation("relu", name="second")(y)])


def nested_with_two_outputs() -> keras.Model:
    pair = two_inputs()
    x = keras.Input(VECTOR)
    first, second = pair([layers.Dense(6)(x), x])
    return keras.Model(x, [layers.Dense(2)(second), first])


def nested_called_for_outputs() -> keras.Model:
    """Return a model whose outputs are calls of nested models, one of them also read within."""
    pair, tail = inner("block"), keras.Sequential([keras.Input(IMAGE), layers.Conv2D(2, 1)], name="tail")
    x = keras.Input(IMAGE)
    y = pair(x)
    return keras.Model(x, [tail(pair(y)), pair(layers.ReLU()(y)), tail(y)])


def twin_of_channels_first(class_name: str, options: dict, shape: tuple) -> tuple[keras.Model, keras.Model]:
    """Return a layer over channels first, for kgenn to read, and over channels last, for Keras to compute."""
    make = getattr(layers, class_name)
    first = chain((shape[-1], *shape[:-1]), make(**options, data_format="channels_first"))
    last = chain(shape, make(**options, data_format="channels_last"))
    return first, last


CONV_OPTIONS = {
    "conv2d_valid": {"filters": 3, "kernel_size": 3},
    "conv2d_same": {"filters": 3, "kernel_size": (3, 2), "padding": "same"},
    "conv2d_same_strides": {"filters": 3, "kernel_size": (3, 4), "strides": (2, 3), "padding": "same"},
    "conv2d_even_same_strides": {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"},
    "conv2d_dilation": {"filters": 3, "kernel_size": 3, "dilation_rate": (2, 1), "use_bias": False},
    "conv2d_dilation_same": {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"},
    "conv2d_groups": {"filters": 6, "kernel_size": 3, "groups": 2, "strides": 2, "padding": "same"},
    "conv2d_relu": {"filters": 3, "kernel_size": 1, "activation": "relu"},
    "conv2d_layer_activation": {"filters": 3, "kernel_size": 1, "activation": layers.ReLU(0.5)},
}
SEQUENCE_OPTIONS = {
    "conv1d_valid": {"filters": 3, "kernel_size": 4},
    "conv1d_same_strides": {"filters": 3, "kernel_size": 4, "strides": 3, "padding": "same"},
    "conv1d_causal": {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2},
    "conv1d_groups": {"filters": 6, "kernel_size": 2, "groups": 3},
}
ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "softmax", "sigmoid", "tanh", "elu", "softplus", "silu"),
    *("swish", "exponential", "celu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish"),
    *("hard_tanh", "log_sigmoid", "log_softmax", "mish", "selu", "soft_shrink", "softsign", "sparse_plus"),
    *("sparse_sigmoid", "squareplus", "tanh_shrink", "sparsemax", "glu"),
)
POOLS = {
    "valid": {"pool_size": 2},
    "same": {"pool_size": 3, "padding": "same"},
    "strides": {"pool_size": 3, "strides": 2},
    "overlap_same": {"pool_size": 3, "strides": 1, "padding": "same"},
}

# the shapes of inputs that are merged value by value
MERGED = {
    "one_shape": (IMAGE, IMAGE, IMAGE),
    "broadcast": (IMAGE, (1, 1, 4), (9, 1, 1)),
    "ranks": (IMAGE, (4,), (8, 1)),
}

MODELS = {
    **{name: lambda o=o: chain(IMAGE, layers.Conv2D(**o)) for name, o in CONV_OPTIONS.items()},
    **{name: lambda o=o: chain(SEQUENCE, layers.Conv1D(**o)) for name, o in SEQUENCE_OPTIONS.items()},
    "depthwise": lambda: chain(IMAGE, layers.DepthwiseConv2D(3)),
    "depthwise_multiplier": lambda: chain(
        IMAGE, layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=3, activation="relu")
    ),
    "depthwise_dilation": lambda: chain(IMAGE, layers.DepthwiseConv2D(2, dilation_rate=2, use_bias=False)),
    "depthwise1d": lambda: chain(SEQUENCE, layers.DepthwiseConv1D(3, padding="same", depth_multiplier=2)),
    "separable": lambda: chain(IMAGE, layers.SeparableConv2D(5, 3, padding="same", activation="relu")),
    "separable_strides": lambda: chain(
        IMAGE, layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2, use_bias=False)
    ),
    "separable1d": lambda: chain(SEQUENCE, layers.SeparableConv1D(4, 3, padding="same")),
    "dense": lambda: chain(VECTOR, layers.Dense(4, activation="relu"), layers.Dense(3, use_bias=False)),
    "dense_on_image": lambda: chain(IMAGE, layers.Dense(3)),
    **{
        f"{kind.lower()}2d_{name}": lambda o=o, k=kind: chain(IMAGE, getattr(layers, f"{k}Pooling2D")(**o))
        for kind in ("Average", "Max")
        for name, o in POOLS.items()
    },
    **{
        f"{kind.lower()}1d_{name}": lambda o=o, k=kind: chain(SEQUENCE, getattr(layers, f"{k}Pooling1D")(**o))
        for kind in ("Average", "Max")
        for name, o in POOLS.items()
    },
    **{
        f"global_{kind.lower()}{rank}d_{keep}": lambda k=kind, r=rank, keep=keep: chain(
            IMAGE if r == 2 else SEQUENCE, getattr(layers, f"Global{k}Pooling{r}D")(keepdims=keep)
        )
        for kind in ("Average", "Max")
        for rank in (1, 2)
        for keep in (False, True)
    },
    "flatten": lambda: chain(IMAGE, layers.Flatten()),
    "flatten_channels_first": lambda: chain(IMAGE, layers.Flatten(data_format="channels_first")),
    "reshape": lambda: chain(IMAGE, layers.Reshape((3, -1, 2))),
    "permute": lambda: chain(IMAGE, layers.Permute((3, 1, 2))),
    "zero_padding2d": lambda: chain(IMAGE, layers.ZeroPadding2D(((1, 2), (0, 3)))),
    "zero_padding2d_number": lambda: chain(IMAGE, layers.ZeroPadding2D(2)),
    "zero_padding1d": lambda: chain(SEQUENCE, layers.ZeroPadding1D((1, 3))),
    "batch_norm": lambda: chain(IMAGE, layers.BatchNormalization(epsilon=1e-2)),
    "batch_norm_axis": lambda: chain(IMAGE, layers.BatchNormalization(axis=1)),
    "batch_norm_negative_axis": lambda: chain(IMAGE, layers.BatchNormalization(axis=-2)),
    "batch_norm_no_scale": lambda: chain(IMAGE, layers.BatchNormalization(scale=False)),
    "batch_norm_no_center": lambda: chain(VECTOR, layers.BatchNormalization(center=False)),
    "relu": lambda: chain(IMAGE, layers.ReLU()),
    "relu_max": lambda: chain(IMAGE, layers.ReLU(max_value=0.5)),
    "relu_all": lambda: chain(IMAGE, layers.ReLU(max_value=0.75, negative_slope=0.2, threshold=0.3)),
    "leaky_relu": lambda: chain(IMAGE, layers.LeakyReLU(negative_slope=0.15)),
    "elu": lambda: chain(IMAGE, layers.ELU(0.7)),
    "elu_of_conv": lambda: chain(IMAGE, layers.Conv2D(3, 2, activation=layers.ELU(1.3))),
    "prelu": lambda: chain(IMAGE, layers.PReLU()),
    "prelu_shared": lambda: chain(IMAGE, layers.PReLU(shared_axes=[1, 2])),
    "prelu_of_vectors": lambda: chain(VECTOR, layers.PReLU()),
    **{f"activation_{name}": lambda n=name: chain(IMAGE, layers.Activation(n)) for name in ACTIVATIONS},
    "activation_function": lambda: chain(IMAGE, layers.Activation(keras.activations.relu)),
    "softmax": lambda: chain(IMAGE, layers.Softmax()),
    "softmax_axis": lambda: chain(IMAGE, layers.Softmax(axis=1)),
    "rescaling": lambda: chain(IMAGE, layers.Rescaling(1 / 3, offset=-0.25)),
    "rescaling_channels": lambda: chain(IMAGE, layers.Rescaling([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.3, 0.4])),
    "normalization": lambda: chain(
        IMAGE, layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[0.5, 1.0, 1.5, 2.0])
    ),
    "normalization_scalar": lambda: chain(IMAGE, layers.Normalization(axis=None, mean=0.3, variance=2.0)),
    "normalization_adapted": lambda: chain(IMAGE, layers.Normalization()),
    "normalization_axes": lambda: chain(IMAGE, layers.Normalization(axis=(1, 3))),
    "normalization_invert": lambda: chain(IMAGE, layers.Normalization(invert=True)),
    "layer_norm": lambda: chain(IMAGE, layers.LayerNormalization()),
    "layer_norm_axes": lambda: chain(IMAGE, layers.LayerNormalization(axis=(1, 3), epsilon=0.1)),
    "layer_norm_plain": lambda: chain(VECTOR, layers.LayerNormalization(scale=False, center=False)),
    "group_norm": lambda: chain(IMAGE, layers.GroupNormalization(2)),
    "group_norm_axis": lambda: chain(IMAGE, layers.GroupNormalization(3, axis=1, center=False)),
    "instance_norm": lambda: chain(IMAGE, layers.GroupNormalization(-1)),
    "rms_norm": lambda: chain(SEQUENCE, layers.RMSNormalization()),
    "unit_norm": lambda: chain(IMAGE, layers.UnitNormalization()),
    "unit_norm_axes": lambda: chain(IMAGE, layers.UnitNormalization(axis=(1, 2))),
    "attention": lambda: merged("Attention", SEQUENCE, (5, 3)),
    "attention_key": lambda: merged("Attention", SEQUENCE, (5, 4), (5, 3), use_scale=True),
    "attention_concat": lambda: merged("Attention", SEQUENCE, (5, 3), use_scale=True, score_mode="concat"),
    "additive_attention": lambda: merged("AdditiveAttention", SEQUENCE, (5, 3)),
    "additive_attention_key": lambda: merged("AdditiveAttention", SEQUENCE, (5, 4), (5, 3), use_scale=False),
    "grouped_query_attention": lambda: attended(
        *(SEQUENCE, (7, 3)), kind="GroupQueryAttention", head_dim=3, num_query_heads=4, num_key_value_heads=2
    ),
    "multi_head_attention": lambda: attended(SEQUENCE, (7, 5), num_heads=2, key_dim=4),
    "multi_head_attention_key": lambda: attended(
        SEQUENCE, (7, 5), (7, 6), num_heads=3, key_dim=2, value_dim=5, output_shape=4, use_bias=False
    ),
    "multi_head_attention_image": lambda: attended(IMAGE, IMAGE, num_heads=2, key_dim=4),
    "multi_head_attention_columns": lambda: attended(
        IMAGE, (IMAGE[0], 7, 5), num_heads=2, key_dim=3, attention_axes=(2,)
    ),
    "multi_head_attention_rows": lambda: attended(IMAGE, IMAGE, num_heads=2, key_dim=3, attention_axes=1),
    "attention_by_name": attended_by_name,
    "attention_image": lambda: merged("Attention", IMAGE, (IMAGE[0], 3, IMAGE[2])),
    "causal_attention": lambda: causal("Attention", use_scale=True),
    "causal_multi_head_attention": lambda: causal("MultiHeadAttention", num_heads=2, key_dim=3),
    "causal_grouped_query_attention": lambda: causal(
        "GroupQueryAttention", head_dim=3, num_query_heads=4, num_key_value_heads=2
    ),
    "masked": masked,
    "transformer": transformer,
    "pipeline": pipeline,
    "spectral": spectral,
    "dropout": lambda: chain(
        IMAGE,
        layers.Dropout(0.5),
        layers.SpatialDropout2D(0.5),
        layers.GaussianNoise(1.0),
        layers.GaussianDropout(0.5),
        layers.AlphaDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.Identity(),
    ),
    "masking": lambda: chain(SEQUENCE, layers.Masking(0.0), layers.Dense(2)),
    "augmented": augmented,
    "of_applications": of_applications,
    "conv3d": lambda: chain(VOLUME, layers.Conv3D(3, (2, 3, 2), strides=(1, 2, 1), padding="same")),
    "conv3d_dilation": lambda: chain(VOLUME, layers.Conv3D(4, 2, dilation_rate=2, groups=2, activation="relu")),
    **{
        f"{kind.lower()}3d_{name}": lambda o=o, k=kind: chain(VOLUME, getattr(layers, f"{k}Pooling3D")(**o))
        for kind in ("Average", "Max")
        for name, o in POOLS.items()
    },
    **{
        f"global_{kind.lower()}3d_{keep}": lambda k=kind, keep=keep: chain(
            VOLUME, getattr(layers, f"Global{k}Pooling3D")(keepdims=keep)
        )
        for kind in ("Average", "Max")
        for keep in (False, True)
    },
    "zero_padding3d": lambda: chain(VOLUME, layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))),
    "repeat_vector": lambda: chain(VECTOR, layers.RepeatVector(4)),
    **{
        f"resizing_{method}_{name}": lambda m=method, s=size, o=options: chain(
            IMAGE, layers.Resizing(*s, interpolation=m, **o)
        )
        for method in ("bilinear", "nearest")
        for name, size, options in (
            ("larger", (18, 11), {}),
            ("smaller", (4, 5), {}),
            ("same", (9, 8), {}),
            ("crop", (6, 12), {"crop_to_aspect_ratio": True}),
            ("pad", (12, 12), {"pad_to_aspect_ratio": True}),
        )
    },
    "center_crop": lambda: chain(IMAGE, layers.CenterCrop(4, 5)),
    "center_crop_larger": lambda: chain(IMAGE, layers.CenterCrop(12, 10)),
    "einsum_dense": lambda: chain(SEQUENCE, layers.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de")),
    "einsum_dense_sum": lambda: chain(IMAGE, layers.EinsumDense("ahwc,hcd->awd", (8, 3), activation="relu")),
    "einsum_dense_groups": lambda: chain(IMAGE, layers.EinsumDense("ahwc,wcd->ahwd", (9, 8, 3), bias_axes="d")),
    "einsum_dense_ellipsis": lambda: chain(IMAGE, layers.EinsumDense("...c,cd->...d", 3, bias_axes="d")),
    "einsum_dense_turned": lambda: chain(SEQUENCE, layers.EinsumDense("abc,bd->adc", (4, 3), bias_axes="d")),
    "time_distributed_dense": lambda: chain(
        SEQUENCE, layers.TimeDistributed(layers.Dense(4, activation="relu")), layers.Flatten()
    ),
    **{
        f"time_distributed_{layer.name}": lambda x=layer: chain(
            VIDEO, layers.TimeDistributed(x.__class__.from_config(x.get_config()))
        )
        for layer in (
            layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="conv"),
            layers.SeparableConv2D(3, 2, name="separable"),
            layers.MaxPooling2D(2, padding="same", name="max"),
            layers.GlobalAveragePooling2D(name="global"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flatten"),
            layers.Permute((2, 3, 1), name="permute"),
            layers.Softmax(name="softmax"),
        )
    },
    "per_frame": per_frame,
    "spatial_dropout1d": lambda: chain(SEQUENCE, layers.SpatialDropout1D(0.5)),
    "residual": residual,
    "concatenated": concatenated,
    **{
        f"{name.lower()}_{label}": lambda n=name, s=shapes: merged(n, *s)
        for name in ("Add", "Average", "Multiply", "Maximum", "Minimum")
        for label, shapes in MERGED.items()
    },
    "subtract": lambda: merged("Subtract", IMAGE, IMAGE),
    "subtract_broadcast": lambda: merged("Subtract", (8, 1), IMAGE),
    "dot_vectors": lambda: merged("Dot", VECTOR, VECTOR, axes=1),
    "dot_cosine": lambda: merged("Dot", VECTOR, VECTOR, axes=-1, normalize=True),
    "dot_matrices": lambda: merged("Dot", SEQUENCE, (5, 11), axes=(1, 2)),
    "dot_vector_matrix": lambda: merged("Dot", (11,), SEQUENCE, axes=1),
    "dot_matrix_vector": lambda: merged("Dot", SEQUENCE, (3,), axes=-1),
    "dot_images": lambda: merged("Dot", IMAGE, (2, 8, 3), axes=2, normalize=True),
    "concatenate_sequences": lambda: merged("Concatenate", SEQUENCE, (2, 3), axis=1),
    "nested": nested,
    "frozen": frozen,
    "shared": shared,
    "two_inputs": two_inputs,
    "nested_with_two_outputs": nested_with_two_outputs,
    "nested_called_for_outputs": nested_called_for_outputs,
}

CHANNELS_FIRST = {
    "conv2d": ("Conv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}),
    "conv2d_groups": ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2, "activation": "relu"}),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}),
    "separable": ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "activation": "relu"}),
    "average": ("AveragePooling2D", {"pool_size": 2, "padding": "same"}),
    "max": ("MaxPooling2D", {"pool_size": 3, "strides": 2}),
    "global_average": ("GlobalAveragePooling2D", {}),
    "global_max_keepdims": ("GlobalMaxPooling2D", {"keepdims": True}),
    "zero_padding": ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}),
    "resizing": ("Resizing", {"height": 5, "width": 11, "crop_to_aspect_ratio": True}),
    "center_crop": ("CenterCrop", {"height": 5, "width": 5}),
}
