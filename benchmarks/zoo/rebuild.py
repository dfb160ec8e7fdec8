"""Networks that are built again with other layers, and the weights that they had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers


def copy_of(layer: layers.Layer) -> layers.Layer:
    """Return a new layer with the same options."""
    return type(layer).from_config(layer.get_config())


def rebuilt(
    model: keras.Model,
    clone: Callable[[layers.Layer], layers.Layer],
    call: Callable[..., Any] | None = None,
) -> keras.Model:
    """Clone a network; layers that stay of their kind keep their weights.

    Args:
        clone: makes each new layer from the one of that name.
        call: applies a new layer to tensors; None is what layers do by themselves.
    """
    new = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in new.layers:
        if layer.weights and isinstance(old := model.get_layer(layer.name), type(layer)):
            layer.set_weights(old.get_weights())
    return new
