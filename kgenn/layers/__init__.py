"""The layers kgenn reads: for each Keras class name, the reader that turns its config into a chain of layers."""

from __future__ import annotations

from kgenn.layers.config import LayerReader
from kgenn.layers.operations import OPERATIONS
from kgenn.layers.training import AUGMENTATIONS, REGULARISERS
from kgenn.registry import Registry

_CONV = "kgenn.layers.read_conv"
_POOL = "kgenn.layers.read_pooling"
_ACTIVATION = "kgenn.layers.read_activation"
_SHAPE = "kgenn.layers.read_shape"
_MERGE = "kgenn.layers.read_merge"
_APPLICATIONS = "kgenn.layers.read_applications"
_RESIZE = "kgenn.layers.read_resize"
_RESAMPLE = "kgenn.layers.read_resample"
_AFFINE = "kgenn.layers.read_affine"
_ATTENTION = "kgenn.layers.read_attention"
_NORMALISE = "kgenn.layers.read_normalise"

# Keras class name, or an alias that some version wrote, to its reader
_TABLE = {
    "InputLayer": f"{_SHAPE}:read_input",
    # linear layers
    "Conv1D": f"{_CONV}:read_conv",
    "Conv2D": f"{_CONV}:read_conv",
    "Conv3D": f"{_CONV}:read_conv",
    "Convolution3D": f"{_CONV}:read_conv",
    "Convolution1D": f"{_CONV}:read_conv",
    "Convolution2D": f"{_CONV}:read_conv",
    "DepthwiseConv1D": f"{_CONV}:read_depthwise",
    "DepthwiseConv2D": f"{_CONV}:read_depthwise",
    "SeparableConv1D": f"{_CONV}:read_separable",
    "SeparableConv2D": f"{_CONV}:read_separable",
    "SeparableConvolution1D": f"{_CONV}:read_separable",
    "SeparableConvolution2D": f"{_CONV}:read_separable",
    "Dense": f"{_CONV}:read_dense",
    "EinsumDense": "kgenn.layers.read_contraction:read_einsum_dense",
    "Conv1DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "Conv2DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "Conv3DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "Convolution1DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "Convolution2DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "Convolution3DTranspose": f"{_RESAMPLE}:read_transposed_conv",
    "LocallyConnected1D": "kgenn.layers.read_local:read_locally_connected",
    "LocallyConnected2D": "kgenn.layers.read_local:read_locally_connected",
    # images of another size
    "UpSampling1D": f"{_RESAMPLE}:read_upsampling",
    "UpSampling2D": f"{_RESAMPLE}:read_upsampling",
    "UpSampling3D": f"{_RESAMPLE}:read_upsampling",
    "Cropping1D": f"{_RESAMPLE}:read_cropping",
    "Cropping2D": f"{_RESAMPLE}:read_cropping",
    "Cropping3D": f"{_RESAMPLE}:read_cropping",
    # pooling
    "AveragePooling1D": f"{_POOL}:read_average_pool",
    "AveragePooling2D": f"{_POOL}:read_average_pool",
    "AveragePooling3D": f"{_POOL}:read_average_pool",
    "AvgPool1D": f"{_POOL}:read_average_pool",
    "AvgPool2D": f"{_POOL}:read_average_pool",
    "AvgPool3D": f"{_POOL}:read_average_pool",
    "MaxPooling1D": f"{_POOL}:read_max_pool",
    "MaxPooling2D": f"{_POOL}:read_max_pool",
    "MaxPooling3D": f"{_POOL}:read_max_pool",
    "MaxPool1D": f"{_POOL}:read_max_pool",
    "MaxPool2D": f"{_POOL}:read_max_pool",
    "MaxPool3D": f"{_POOL}:read_max_pool",
    "GlobalAveragePooling1D": f"{_POOL}:read_global_average_pool",
    "GlobalAveragePooling2D": f"{_POOL}:read_global_average_pool",
    "GlobalAveragePooling3D": f"{_POOL}:read_global_average_pool",
    "GlobalAvgPool1D": f"{_POOL}:read_global_average_pool",
    "GlobalAvgPool2D": f"{_POOL}:read_global_average_pool",
    "GlobalAvgPool3D": f"{_POOL}:read_global_average_pool",
    "GlobalMaxPooling1D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPooling2D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPooling3D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPool1D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPool2D": f"{_POOL}:read_global_max_pool",
    "GlobalMaxPool3D": f"{_POOL}:read_global_max_pool",
    "AdaptiveAveragePooling1D": f"{_POOL}:read_adaptive_average_pool",
    "AdaptiveAveragePooling2D": f"{_POOL}:read_adaptive_average_pool",
    "AdaptiveAveragePooling3D": f"{_POOL}:read_adaptive_average_pool",
    "AdaptiveMaxPooling1D": f"{_POOL}:read_adaptive_max_pool",
    "AdaptiveMaxPooling2D": f"{_POOL}:read_adaptive_max_pool",
    "AdaptiveMaxPooling3D": f"{_POOL}:read_adaptive_max_pool",
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
    "RepeatVector": f"{_SHAPE}:read_repeat_vector",
    "ZeroPadding1D": f"{_SHAPE}:read_zero_padding",
    "ZeroPadding2D": f"{_SHAPE}:read_zero_padding",
    "ZeroPadding3D": f"{_SHAPE}:read_zero_padding",
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
    # layers of keras.applications
    "CustomScaleLayer": f"{_APPLICATIONS}:read_custom_scale",
    "LayerScale": f"{_APPLICATIONS}:read_layer_scale",
    # what does nothing at inference
    **dict.fromkeys(("Identity", *REGULARISERS, *AUGMENTATIONS), f"{_ACTIVATION}:read_identity"),
    "Masking": f"{_ACTIVATION}:read_masking",
    "RandomCrop": f"{_RESIZE}:read_random_crop",
    # sizes
    "CenterCrop": f"{_RESIZE}:read_center_crop",
    "Resizing": f"{_RESIZE}:read_resizing",
    # attention
    "AdditiveAttention": f"{_ATTENTION}:read_additive_attention",
    "Attention": f"{_ATTENTION}:read_attention",
    "GroupQueryAttention": f"{_ATTENTION}:read_grouped_query_attention",
    "GroupedQueryAttention": f"{_ATTENTION}:read_grouped_query_attention",  # as .h5 files have it
    "MultiHeadAttention": f"{_ATTENTION}:read_multi_head_attention",
    # normalisation by the input itself
    "GroupNormalization": f"{_NORMALISE}:read_group_norm",
    "LayerNormalization": f"{_NORMALISE}:read_layer_norm",
    "RMSNormalization": f"{_NORMALISE}:read_rms_norm",
    "UnitNormalization": f"{_NORMALISE}:read_unit_norm",
}

__all__ = ["LAYERS", "OPERATIONS"]

LAYERS: Registry[LayerReader] = Registry("layer", "kgenn.layers", _TABLE, code="KG105")
