"""A layer class that is not Keras' own is read where an entry point names it with its package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pytest

from covering import covering
from kgenn.diagnostics import KgennError
from kgenn.frontend import load
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers import LAYERS
from kgenn.layers.config import LayerConfig
from kgenn.layers.weights import Weights


@keras.saving.register_keras_serializable(package="mine")
class Gain(keras.layers.Layer):  # type: ignore[misc]
    """Multiply each channel by a trained factor, and all by a fixed one."""

    def __init__(self, fixed: float = 1.0, **options: object) -> None:
        super().__init__(**options)
        self.fixed = fixed

    def build(self, shape: Shape) -> None:
        self.gain = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="gain")

    def call(self, x: Array) -> Array:
        return x * self.gain * self.fixed

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "fixed": self.fixed}


class Plain(Gain):
    """The same, registered nowhere: its package is this module."""


@dataclass(frozen=True, eq=False)
class Scaled(Layer):
    """What kgenn computes for it."""

    linear: ClassVar[bool] = True

    factor: Array

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def forward(self, *inputs: Array) -> Array:
        return inputs[0] * self.factor


def read_gain(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    return (Scaled(weights.take("gain", (inputs[0][-1],)) * np.float32(config.get("fixed"))),)


def model(layer: keras.layers.Layer) -> keras.Model:
    stack = [keras.Input((6, 6, 2)), keras.layers.Conv2D(3, 3, name="conv"), layer, keras.layers.ReLU(name="relu")]
    return keras.Sequential([*stack, keras.layers.Flatten(name="flat"), keras.layers.Dense(2, name="dense")])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # an .h5 file does not say the module of a class that is registered nowhere
    for name in ("mine>Gain", f"{__name__}>Plain", "Plain"):
        monkeypatch.setitem(LAYERS.entries, name, f"{__name__}:read_gain")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("layer", "suffix"), covering([Gain, Plain], ["h5", "keras", "live"]))
def test_a_class_with_an_entry_point_is_read_as_keras_computes_it(tmp_path, suffix, layer):
    made = model(layer(0.5, name="gain"))
    source = made if suffix == "live" else tmp_path / f"m.{suffix}"
    if suffix != "live":
        made.save(source)
    x = np.random.default_rng(0).random((3, 6, 6, 2), np.float32)
    assert np.allclose(load(source).predict(x), made.predict(x, verbose=0), atol=1e-6)


@keras.saving.register_keras_serializable(package="mine")
class Nameless(keras.layers.Layer):  # type: ignore[misc]
    """A class without a `get_config`, of which a Sequential model stores no name."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)

    def call(self, x: Array) -> Array:
        return 2 * x


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_class_whose_layers_have_no_stored_names_is_refused_as_any_other(tmp_path, suffix):
    layers = [keras.Input((3,)), Nameless(), Nameless(), keras.layers.Dense(2)]
    keras.Sequential(layers).save(tmp_path / f"m.{suffix}")
    with pytest.raises(KgennError) as caught:
        load(tmp_path / f"m.{suffix}")
    (found,) = caught.value.diagnostics
    assert (found.code, "custom class of mine" in found.what) == ("KG105", True)
    assert "nameless_1, nameless_2 (Nameless)" in found.where


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_class_without_one_is_refused_with_the_name_that_it_needs(tmp_path, suffix):
    made = model(Gain(0.5, name="gain"))
    made.save(tmp_path / f"m.{suffix}")
    with pytest.raises(KgennError) as caught:
        load(tmp_path / f"m.{suffix}")
    (found,) = caught.value.diagnostics
    assert (found.code, "custom class of mine" in found.what) == ("KG105", True)
    assert "'mine>Gain'" in found.help
    assert "kgenn.layers" in found.help
