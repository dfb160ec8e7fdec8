"""The layers kgenn reads: for each Keras class name, the reader that turns its config into a chain of layers."""

from __future__ import annotations

from kgenn.layers.config import LayerReader
from kgenn.registry import Registry

_CONV = "kgenn.layers.read_conv"
_POOL = "kgenn.layers.read_pooling"
_ACTIVATION = "kgenn.layers.read_activation"
_SHAPE = "kgenn.layers.read_shape"
_MERGE = "kgenn.layers.read_merge"
_AFFINE = "kgenn.layers.read_affine"
_NORMALISE = "kgenn.layers.read_normalise"

# Keras class name, or an alias that some version wrote, to its reader
_TABLE = {
    "InputLayer": f"{_SHAPE}:read_input",
    # linear layers
    "Conv1D": f"{_CONV}:read_conv",
    "Conv2D": f"{_CONV}:read_conv",
    "Convolution1D": f"{_CONV}:read_conv",
    "Convolution2D": f"{_CONV}:read_conv",
    "DepthwiseConv1D": f"{_CONV}:read_depthwise",
    "DepthwiseConv2D": f"{_CONV}:read_depthwise",
    "SeparableConv1D": f"{_CONV}:read_separable",
    "SeparableConv2D": f"{_CONV}:read_separable",
    "SeparableConvolution1D": f"{_CONV}:read_separable",
    "SeparableConvolution2D": f"{_CONV}:read_separable",
    "Dense": f"{_CONV}:read_dense",
    # pooling
    "AveragePooling1D": f"{_POOL}:read_average_pool",
    "AveragePooling2D": f"{_POOL}:read_average_pool",
    "AvgPool1D": f"{_POOL}:read_average_pool",
    "AvgPool2D": f"{_POOL}:read_average_pool",
    "MaxPooling1D": f"{_POOL}:read_max_pool",
    "MaxPooling2D": f"{_POOL}:read_max_pool",
    "MaxPool1D": f"{_POOL}:read_max_pool",
    "MaxPool2D": f"{_POOL}:read_max_pool",
    "GlobalAveragePooling1D": f"{_POOL}:read_global_average_pool",
    "GlobalAveragePooling2D": f"{_POOL}:read_global_average_pool",
    "GlobalAvgPool1D": f"{_POOL}:read_global_average_pool",
    "GlobalAvgPool2D": f"{_POOL}:read_global_average_pool",
    "GlobalMaxPooling1D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPooling2D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPool1D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPool2D": f"{_POOL}:read_global_max_pool",
    # activations
    "Activation": f"{_ACTIVATION}:read_activation",
    "ReLU": f"{_ACTIVATION}:read_relu",
    "ELU": f"{_ACTIVATION}:read_elu",
    "LeakyReLU": f"{_ACTIVATION}:read_leaky_relu",
    "PReLU": f"{_ACTIVATION}:read_prelu",
    "Softmax": f"{_ACTIVATION}:read_softmax",
    "ThresholdedReLU": f"{_ACTIVATION}:read_thresholded_relu",
    # shapes and merging
    "Flatten": f"{_SHAPE}:read_flatten",
    "Reshape": f"{_SHAPE}:read_reshape",
    "Permute": f"{_SHAPE}:read_permute",
    "ZeroPadding1D": f"{_SHAPE}:read_zero_padding",
    "ZeroPadding2D": f"{_SHAPE}:read_zero_padding",
    "Add": f"{_MERGE}:read_add",
    "Average": f"{_MERGE}:read_average",
    "Concatenate": f"{_MERGE}:read_concatenate",
    "Dot": f"{_MERGE}:read_dot",
    "Maximum": f"{_MERGE}:read_maximum",
    "Minimum": f"{_MERGE}:read_minimum",
    "Multiply": f"{_MERGE}:read_multiply",
    "Subtract": f"{_MERGE}:read_subtract",
    # per-channel affine layers
    "BatchNormalization": f"{_AFFINE}:read_batch_norm",
    "BatchNormalizationV1": f"{_AFFINE}:read_batch_norm",
    "BatchNormalizationV2": f"{_AFFINE}:read_batch_norm",
    "SyncBatchNormalization": f"{_AFFINE}:read_batch_norm",
    "Rescaling": f"{_AFFINE}:read_rescaling",
    "Normalization": f"{_AFFINE}:read_normalization",
    # normalisation by the input itself
    "GroupNormalization": f"{_NORMALISE}:read_group_norm",
    "LayerNormalization": f"{_NORMALISE}:read_layer_norm",
    "RMSNormalization": f"{_NORMALISE}:read_rms_norm",
    "UnitNormalization": f"{_NORMALISE}:read_unit_norm",
    # layers that act in training only
    "ActivityRegularization": f"{_ACTIVATION}:read_identity",
    "AlphaDropout": f"{_ACTIVATION}:read_identity",
    "Dropout": f"{_ACTIVATION}:read_identity",
    "GaussianDropout": f"{_ACTIVATION}:read_identity",
    "GaussianNoise": f"{_ACTIVATION}:read_identity",
    "Identity": f"{_ACTIVATION}:read_identity",
    "SpatialDropout1D": f"{_ACTIVATION}:read_identity",
    "SpatialDropout2D": f"{_ACTIVATION}:read_identity",
}

LAYERS: Registry[LayerReader] = Registry("layer", "kgenn.layers", _TABLE, code="KG105")
