"""The architectures: what each has beyond the strict profile, and that a spiking network computes the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import kgenn
from benchmarks.zoo.batch_scale import folded
from benchmarks.zoo.initial import scale_to_unit_variance
from benchmarks.zoo.table import ARCHITECTURES, names, variant
from benchmarks.zoo.thresholds import frozen, with_thresholds
from covering import leading
from kgenn.conversion.few_spike import FewSpike

WIDTH = 0.03
# Of few channels, untrained, often none is alive, and a layer normalisation of one channel is 0.
WIDER = {"mobilenet": 0.15, "mnist-cnn": 0.2, "resnet18": 0.1, "convnext": 0.15}
VARIANTS = ("resnet20-scaled", "vgg16-bn", "resnet20-bn", "mnist-cnn-bn-capped")
SLOW_VARIANTS = ("mobilenet-scaled", "mobilenet-bn", "resnet18-bn-capped", "vgg16-bn-capped")


def built(name: str) -> tuple[Any, Any]:
    """Return an untrained network as its file would hold it, and eight random images."""
    keras.utils.set_random_seed(2)
    chosen = variant(name)
    model = chosen.build(WIDER.get(base_of(name), WIDTH), 0.1)
    x = np.random.default_rng(3).random((8, *model.input_shape[1:]), dtype=np.float32)
    scale_to_unit_variance(model, x)
    return folded(frozen(with_thresholds(model, x, 90.0) if chosen.capped else model)), x


def base_of(name: str) -> str:
    """Return a name without suffixes."""
    return name.removesuffix("-capped").removesuffix("-bn").removesuffix("-scaled")


@pytest.mark.parametrize(
    "name",
    leading(
        [*ARCHITECTURES, *VARIANTS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_VARIANTS)], 4
    ),
)
def test_a_network_needs_exactly_what_its_name_allows_and_spikes_what_keras_computes(name: str) -> None:
    model, x = built(name)
    allow = variant(name).allow
    assert kgenn.check(model, allow=allow) == []
    for feature in allow:
        assert kgenn.check(model, allow=set(allow) - {feature}) != []
    model.layers[-1].activation = keras.activations.linear  # logits tell more than probabilities
    network = kgenn.convert(model, calibration=x, converter=FewSpike(), timesteps=12, allow=allow)
    found = kgenn.compile(network, target="reference").evaluate(x[:2]).scores
    expected = np.asarray(model(x[:2], training=False))
    assert_allclose(found, expected, atol=0.03 * np.ptp(expected))


def test_the_width_multiplies_the_channels_of_every_layer_but_the_last() -> None:
    kernels = {
        width: [w.shape for w in variant("mobilenet").build(width, 0.0).weights if "kernel" in w.path]
        for width in (0.125, 0.25)
    }
    narrow, wide = ([shape[-1] for shape in shapes] for shapes in kernels.values())
    assert [2 * channels for channels in narrow[:1]] == wide[:1]
    assert narrow[-1] == wide[-1] == 10
    assert [shape[-2] for shape in kernels[0.25][1:]] == [2 * shape[-2] for shape in kernels[0.125][1:]]


def test_every_name_is_an_architecture_with_its_suffixes() -> None:
    assert {base_of(name) for name in names()} == set(ARCHITECTURES)
    assert variant("resnet18-identity-bn-capped").architecture is ARCHITECTURES["resnet18-identity"]
    for unknown in ("vgg19-bn", "convnext-bn", "swish-se-capped"):
        with pytest.raises(KeyError, match=unknown):
            variant(unknown)


@pytest.mark.parametrize(
    ("name", "millions"),  # multiply-accumulates at width 1
    [("vgg13", 247.2), ("vgg16", 332.1), ("alexnet", 424.7), ("mobilenet", 65.4), ("ttfs-mnist", 7.06)],
)
@pytest.mark.slow
def test_the_full_width_has_the_published_sizes(name: str, millions: float) -> None:
    assert kgenn.load(variant(name).build(1.0, 0.0)).macs / 1e6 == pytest.approx(millions, rel=0.01)
