"""The operations on tensors that kgenn reads: for each name the reader that turns a call into a chain of layers.

A name without a prefix is a class of `keras.ops`, as Keras 3 writes it; `tf.` begins a function of TensorFlow, as
Keras 2 writes it.
"""

from __future__ import annotations

from kgenn.layers.config import OperationReader
from kgenn.registry import Registry

_ARITHMETIC = "kgenn.layers.read_arithmetic"
_ATTENTION = "kgenn.layers.read_attention"
_CONTRACTION = "kgenn.layers.read_contraction"
_FUNCTIONS = "kgenn.layers.read_functions"
_GIVEN = "kgenn.layers.read_given"
_IMAGES = "kgenn.layers.read_images"
_JOINS = "kgenn.layers.read_joins"
_MOVES = "kgenn.layers.read_moves"
_NORMALISE = "kgenn.layers.read_normalise"
_REDUCTIONS = "kgenn.layers.read_reductions"
_RESIZE = "kgenn.layers.read_resize"
_SCANS = "kgenn.layers.read_scans"
_TAKES = "kgenn.layers.read_takes"

# a reader to the names of the operations that it reads
_READERS: dict[str, tuple[str, ...]] = {
    # two operands
    f"{_ARITHMETIC}:read_add": ("Add", "tf.__operators__.add", "tf.math.add", "tf.nn.bias_add"),
    f"{_ARITHMETIC}:read_subtract": ("Subtract", "tf.math.subtract"),
    f"{_ARITHMETIC}:read_squared_difference": ("tf.math.squared_difference",),
    f"{_ARITHMETIC}:read_multiply": ("Multiply", "tf.math.multiply"),
    f"{_ARITHMETIC}:read_divide": ("Divide", "TrueDivide", "tf.math.divide", "tf.math.truediv"),
    f"{_ARITHMETIC}:read_maximum": ("Maximum", "tf.math.maximum"),
    f"{_ARITHMETIC}:read_minimum": ("Minimum", "tf.math.minimum"),
    f"{_ARITHMETIC}:read_clip": ("Clip", "tf.clip_by_value"),
    f"{_ARITHMETIC}:read_power": ("Power", "tf.math.pow"),
    f"{_ARITHMETIC}:read_negative": ("Negative", "tf.math.negative"),
    f"{_ARITHMETIC}:read_total": ("tf.math.add_n",),
    # activations
    f"{_FUNCTIONS}:read_function": (
        *("Abs", "Absolute", "Exp", "HardShrink", "HardSigmoid", "HardSilu", "HardTanh", "Log", "LogSigmoid"),
        *("Reciprocal", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Silu", "SoftShrink", "Softplus", "Softsign"),
        *("SparsePlus", "SparseSigmoid", "Sqrt", "Square", "Squareplus", "Tanh", "TanhShrink"),
        *("Arctan", "Cos", "Erf", "Sin", "tf.math.atan", "tf.math.cos", "tf.math.erf", "tf.math.sin"),
        *("tf.math.abs", "tf.math.exp", "tf.math.log", "tf.math.log_sigmoid", "tf.math.reciprocal"),
        *("tf.math.rsqrt", "tf.math.sigmoid", "tf.math.softplus", "tf.math.sqrt", "tf.math.square"),
        *("tf.math.tanh", "tf.nn.relu", "tf.nn.relu6", "tf.nn.selu", "tf.nn.sigmoid", "tf.nn.silu"),
        *("tf.nn.softplus", "tf.nn.softsign", "tf.nn.swish", "tf.nn.tanh"),
    ),
    f"{_FUNCTIONS}:read_log": ("Log1p", "Log2", "Log10", "tf.math.log1p"),
    f"{_FUNCTIONS}:read_expm1": ("Expm1", "tf.math.expm1"),
    f"{_FUNCTIONS}:read_gelu": ("Gelu", "tf.nn.gelu"),
    f"{_FUNCTIONS}:read_elu": ("Elu", "tf.nn.elu"),
    f"{_FUNCTIONS}:read_glu": ("Glu",),
    f"{_FUNCTIONS}:read_sparsemax": ("Sparsemax",),
    f"{_FUNCTIONS}:read_leaky_relu": ("LeakyRelu", "tf.nn.leaky_relu"),
    f"{_FUNCTIONS}:read_relu_layer": ("ReLU",),
    f"{_FUNCTIONS}:read_celu": ("Celu",),
    f"{_FUNCTIONS}:read_threshold": ("Threshold",),
    f"{_FUNCTIONS}:read_zeros": ("ZerosLike", "tf.zeros_like"),
    f"{_FUNCTIONS}:read_ones": ("OnesLike", "tf.ones_like"),
    f"{_FUNCTIONS}:read_soft_maximum": ("Softmax", "tf.nn.softmax"),
    f"{_FUNCTIONS}:read_log_softmax": ("LogSoftmax", "tf.nn.log_softmax"),
    # reductions, pooling and products with constants
    f"{_REDUCTIONS}:read_mean": ("Mean", "tf.math.reduce_mean"),
    f"{_REDUCTIONS}:read_sum": ("Sum", "tf.math.reduce_sum"),
    f"{_REDUCTIONS}:read_max": ("Amax", "Max", "tf.math.reduce_max"),
    f"{_REDUCTIONS}:read_min": ("Amin", "Min", "tf.math.reduce_min"),
    f"{_REDUCTIONS}:read_variance": ("Var", "tf.math.reduce_variance"),
    f"{_REDUCTIONS}:read_deviation": ("Std", "tf.math.reduce_std"),
    f"{_REDUCTIONS}:read_norm": ("Norm", "tf.compat.v1.norm", "tf.norm"),
    f"{_REDUCTIONS}:read_log_sum": ("Logsumexp", "tf.math.reduce_logsumexp"),
    f"{_SCANS}:read_cumulative": ("Cumsum", "tf.math.cumsum"),
    f"{_SCANS}:read_difference": ("Diff",),
    f"{_NORMALISE}:read_normalize": ("Normalize", "tf.math.l2_normalize"),
    # weights in the call
    f"{_GIVEN}:read_convolution": ("Conv",),
    f"{_GIVEN}:read_depthwise_convolution": ("DepthwiseConv",),
    f"{_GIVEN}:read_separable_convolution": ("SeparableConv",),
    f"{_GIVEN}:read_batch_normalization": ("BatchNorm",),
    f"{_GIVEN}:read_layer_normalization": ("LayerNorm",),
    f"{_GIVEN}:read_rms_normalization": ("RMSNorm",),
    f"{_GIVEN}:read_average": ("Average",),
    f"{_GIVEN}:read_moments": ("Moments", "tf.nn.moments"),
    f"{_ATTENTION}:read_dot_product_attention": ("DotProductAttention",),
    f"{_FUNCTIONS}:read_average_pool": ("AveragePool", "tf.nn.avg_pool", "tf.nn.avg_pool2d"),
    f"{_FUNCTIONS}:read_max_pool": ("MaxPool", "tf.nn.max_pool", "tf.nn.max_pool2d"),
    f"{_CONTRACTION}:read_matmul": ("Matmul", "tf.linalg.matmul"),
    f"{_CONTRACTION}:read_dot": ("Dot",),
    f"{_CONTRACTION}:read_tensordot": ("Tensordot", "tf.tensordot"),
    f"{_CONTRACTION}:read_einsum": ("Einsum",),
    # shapes
    f"{_MOVES}:read_nothing": (
        "Cast",
        "Copy",
        "Identity",
        "NanToNum",
        "StopGradient",
        "tf.cast",
        "tf.identity",
        "tf.stop_gradient",
    ),
    f"{_MOVES}:read_reshape": ("Reshape", "tf.reshape"),
    f"{_MOVES}:read_batch_flatten": ("tf.keras.backend.batch_flatten",),
    f"{_MOVES}:read_transpose": ("Transpose", "tf.compat.v1.transpose", "tf.transpose"),
    f"{_MOVES}:read_moveaxis": ("Moveaxis",),
    f"{_MOVES}:read_swapaxes": ("Swapaxes",),
    f"{_MOVES}:read_expand_dims": ("ExpandDims", "tf.expand_dims"),
    f"{_MOVES}:read_squeeze": ("Squeeze", "tf.compat.v1.squeeze", "tf.squeeze"),
    f"{_MOVES}:read_depth_to_space": ("tf.nn.depth_to_space",),
    f"{_MOVES}:read_space_to_depth": ("tf.nn.space_to_depth",),
    f"{_JOINS}:read_concatenate": ("Concatenate", "tf.concat"),
    f"{_JOINS}:read_stack": ("Stack", "tf.stack"),
    f"{_JOINS}:read_split": ("Split", "tf.split"),
    f"{_JOINS}:read_unstack": ("Unstack", "tf.unstack"),
    f"{_TAKES}:read_getitem": ("GetItem", "tf.__operators__.getitem"),
    f"{_TAKES}:read_pad": ("Pad", "tf.compat.v1.pad", "tf.pad"),
    f"{_TAKES}:read_flip": ("Flip", "tf.reverse"),
    f"{_TAKES}:read_roll": ("Roll", "tf.roll"),
    f"{_TAKES}:read_repeat": ("Repeat", "tf.repeat"),
    f"{_TAKES}:read_tile": ("Tile", "tf.tile"),
    f"{_TAKES}:read_take": ("Take", "tf.compat.v1.gather", "tf.gather"),
    f"{_TAKES}:read_broadcast": ("BroadcastTo", "tf.broadcast_to"),
    f"{_TAKES}:read_turn": ("Rot90",),
    f"{_RESIZE}:read_resize": ("Resize", "tf.image.resize"),
    f"{_IMAGES}:read_patches": ("ExtractPatches",),
    f"{_IMAGES}:read_tensorflow_patches": ("tf.image.extract_patches",),
    f"{_IMAGES}:read_greyscale": ("RGBToGrayscale", "tf.image.rgb_to_grayscale"),
    f"{_IMAGES}:read_crop": ("CropImages",),
    f"{_IMAGES}:read_border": ("PadImages",),
}

OPERATIONS: Registry[OperationReader] = Registry(
    "operation",
    "kgenn.operations",
    {name: reader for reader, names in _READERS.items() for name in names},
    code="KG105",
)
