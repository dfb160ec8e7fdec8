"""Networks whose ReLUs have trainable caps, for threshold-relu conversion.

Deng & Gu 2021, arXiv:2103.00476, train with activations clip(x, 0, θ) and take θ as the scale of the layer; Ho &
Chang 2021, arXiv:2008.04509, train θ too. The smaller θ is, the finer are the T levels between 0 and θ that a
spiking neuron can send in T timesteps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from benchmarks.zoo.rebuild import copy_of, rebuilt

Array = NDArray[Any]


@keras.saving.register_keras_serializable("kgenn.zoo")
class ThresholdReLU(layers.Layer):
    """Compute clip(x, 0, θ) with one trainable cap, θ = initial · ratio.

    The derivative with respect to θ is 1 where x > θ and 0 elsewhere. What is trained is the ratio, which starts
    at 1, since the caps of one network may lie a factor of 100 apart: an optimiser such as Adam, whose steps have
    the same size for every weight, then changes each cap by the same fraction.

    Args:
        initial: the cap at the start, above 0.
        penalty: adds penalty · ratio² to the loss, so that θ shrinks until clipping costs more.
    """

    def __init__(self, initial: float, penalty: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not initial > 0:
            raise ValueError(f"{self.name}: a cap must be above 0, not {initial}")
        self.initial, self.penalty = float(initial), float(penalty)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        regularizer = keras.regularizers.L2(self.penalty) if self.penalty else None
        self.ratio = self.add_weight(name="ratio", shape=(), initializer="ones", regularizer=regularizer)

    def call(self, inputs: Any) -> Any:
        return ops.minimum(ops.relu(inputs), self.initial * self.ratio)

    @property
    def cap(self) -> float:
        """Return θ as it is, a float32 value."""
        return float(np.float32(self.initial) * ops.convert_to_numpy(self.ratio))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial": self.initial, "penalty": self.penalty}


def with_thresholds(
    model: keras.Model, calibration: Array | Sequence[Array], percentile: float = 99.9, penalty: float = 0.0
) -> keras.Model:
    """Rebuild a trained network with a ThresholdReLU for each ReLU, be it a layer or the activation of one.

    A layer that is called more than once gets a cap for each call: each call becomes a population of its own.

    Args:
        model: Sequential or Functional, without models as layers.
        calibration: inputs, shape (N, *input shape), of several inputs a list; memory holds the activations of one
            layer for all of them.
        percentile: of the activations of a layer over the calibration set; its cap at the start.
        penalty: of every ThresholdReLU.

    Raises:
        ValueError: a layer is itself a model, or the percentile of a layer is 0.
    """
    plain = _divided(model)
    caps = {}
    for relu in filter(_is_relu, plain.layers):
        activations = keras.Model(plain.input, relu.output).predict(calibration, batch_size=256, verbose=0)
        caps[relu.name] = float(np.percentile(activations, percentile))

    def trainable(layer: layers.Layer) -> layers.Layer:
        return ThresholdReLU(caps[layer.name], penalty, name=layer.name) if layer.name in caps else copy_of(layer)

    return rebuilt(plain, trainable)


def frozen(model: keras.Model) -> keras.Model:
    """Return the network in float32, with its caps as constants: a ReLU(max_value=θ) for each ThresholdReLU.

    It has standard layers only, so that its file opens without this module.
    """

    def constant(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, ThresholdReLU):
            return layers.ReLU(layer.cap, name=layer.name, dtype="float32")
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    return rebuilt(model, constant)


def _is_relu(layer: layers.Layer) -> bool:
    """Tell whether a layer is a ReLU and no more: without a slope below 0 and with the threshold 0."""
    return isinstance(layer, layers.ReLU) and not layer.negative_slope and not layer.threshold


def _divided(model: keras.Model) -> keras.Model:
    """Rebuild a network as a Functional model in which every ReLU is a layer of its own, called once."""
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise ValueError(f"{model.name} has models as layers, which must be unpacked: {', '.join(nested)}")
    calls: Counter[str] = Counter()
    fused: set[str] = set()  # the layers whose activation is taken off

    def clone(layer: layers.Layer) -> layers.Layer:
        if getattr(layer, "activation", None) is not keras.activations.relu:
            return copy_of(layer)
        fused.add(layer.name)
        return type(layer).from_config({**layer.get_config(), "activation": "linear"})

    def call(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        if not _is_relu(layer) and layer.name not in fused:
            return layer(*args, **kwargs)
        calls[layer.name] += 1
        suffix = f"_call{calls[layer.name]}" if calls[layer.name] > 1 else ""
        if _is_relu(layer):
            return layers.ReLU(layer.max_value, name=f"{layer.name}{suffix}")(*args)
        return layers.ReLU(name=f"{layer.name}_relu{suffix}")(layer(*args, **kwargs))

    if isinstance(model, keras.Sequential):  # its layers cannot be called one by one
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return rebuilt(model, clone, call)
