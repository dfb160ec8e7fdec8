"""Every architecture by its name: how it is built and trained, and what it has beyond the strict profile.

A name may end in `-bn`, for batch normalisation after each linear layer but the last, or in `-scaled`, for batch
scaling, which is in the kernels of the trained network; and in `-capped`, for ReLUs with caps that are trained:
vgg16-bn, fast-vgg-scaled, resnet20-capped, vgg16-bn-capped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import keras
from keras import layers

from benchmarks.zoo import (
    architectures,
    architectures_fast,
    architectures_pooled,
    architectures_residual,
    architectures_smooth,
)
from benchmarks.zoo.batch_scale import BatchScale
from benchmarks.zoo.style import Style


@dataclass(frozen=True)
class Recipe:
    """How an architecture is trained; each field is the default of an option of the training script.

    Attributes:
        epochs: passes over the training set.
        batch_size: images for one update.
        optimizer: "adamw" or "sgd", which has Nesterov momentum 0.9; the weight decay of both is decoupled.
        learning_rate: reached after the warm-up; it falls to zero along a cosine.
        weight_decay: of the optimiser.
        warmup: epochs over which the learning rate rises from zero.
        clip: the largest norm of all gradients together; longer ones are scaled down.
        label_smoothing: the share of each label that goes to all classes alike.
        dropout: the rate of the dropout layers.
        max_shift: the augmentation moves each image by up to so many pixels along each axis.
        mirror: the augmentation mirrors half of the images.
        cutout: the augmentation blanks a square of so many pixels a side; 0 for none.
        cutmix: the share of images in which a rectangle is another image's, and the label in proportion.
        cap_penalty: of a name in -capped: adds cap_penalty · (θ / initial θ)² to the loss for each cap.
    """

    epochs: int = 60
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 2.0
    clip: float = 1.0
    label_smoothing: float = 0.1
    dropout: float = 0.0
    max_shift: int = 4
    mirror: bool = True
    cutout: int = 0
    cutmix: float = 0.0
    cap_penalty: float = 1e-3


MNIST = Recipe(epochs=30, weight_decay=1e-2, warmup=0.5, label_smoothing=0.0, max_shift=2, mirror=False)
# For few epochs, without augmentation.
BRIEF = Recipe(
    epochs=6, learning_rate=3e-3, weight_decay=0.0, warmup=0.5, label_smoothing=0.0, max_shift=0, mirror=False
)
# For few epochs with batch normalisation. Source: Page 2018, "How to train your ResNet", and Jordan 2024,
# arXiv:2404.00498, rounded. Keras does not multiply its weight decay by the momentum's 1 / (1 - 0.9); this one is.
SPEEDRUN = Recipe(
    epochs=15,
    batch_size=500,
    optimizer="sgd",
    learning_rate=0.4,
    weight_decay=5e-3,
    warmup=3.0,
    clip=0.0,
    label_smoothing=0.2,
    max_shift=2,
)
# For small networks and few epochs.
SHORT = Recipe(learning_rate=4e-3, weight_decay=0.02, warmup=1.0, label_smoothing=0.0, max_shift=2)


NORMALISATIONS: dict[str, type[layers.Layer] | None] = {
    "": None,
    "-bn": layers.BatchNormalization,
    "-scaled": BatchScale,
}


@dataclass(frozen=True)
class Architecture:
    """A network of the zoo.

    Attributes:
        build: return the untrained network.
        dataset: the name of its data set in `keras.datasets`.
        recipe: how it is trained by default.
        allow: what `--allow` must name for it, in the order of `kgenn list features`.
        bias: whether its linear layers have biases.
        plain: whether it is built in one way only: its name takes no suffix, and its first weights are not scaled.
    """

    build: Callable[[Style], keras.Model]
    dataset: str = "cifar10"
    recipe: Recipe = field(default_factory=Recipe)
    allow: tuple[str, ...] = ()
    bias: bool = False
    plain: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return what may follow its name."""
        return ("",) if self.plain else tuple(f"{norm}{cap}" for norm in NORMALISATIONS for cap in ("", "-capped"))

    @property
    def image(self) -> tuple[int, ...]:
        """Return the shape of an image, (height, width, channels)."""
        return architectures.MNIST if self.dataset == "mnist" else architectures.CIFAR


ARCHITECTURES: dict[str, Architecture] = {
    "mnist-cnn": Architecture(architectures.mnist_cnn, "mnist", MNIST),
    "ttfs-mnist": Architecture(
        architectures.ttfs_mnist, "mnist", replace(MNIST, dropout=0.5), ("bias", "max-pool"), bias=True
    ),
    "global-pool": Architecture(
        architectures_pooled.global_pool, "mnist", BRIEF, ("bias",), bias=True, plain=True
    ),
    "causal": Architecture(
        architectures_pooled.causal, "mnist", BRIEF, ("bias", "max-pool", "zero-padding"), bias=True, plain=True
    ),
    "vgg13": Architecture(architectures.vgg13),
    "vgg16": Architecture(architectures.vgg16),
    "alexnet": Architecture(architectures.alexnet),
    "mobilenet": Architecture(architectures.mobilenet),
    "resnet18": Architecture(architectures_residual.resnet18),
    "resnet18-identity": Architecture(architectures_residual.resnet18_identity),
    "resnet20": Architecture(architectures_residual.resnet20),
    "fast-vgg": Architecture(architectures_fast.fast_vgg, recipe=SPEEDRUN),
    "fast-vgg-max": Architecture(architectures_fast.fast_vgg_max, recipe=SPEEDRUN, allow=("max-pool",)),
    "fast-resnet": Architecture(architectures_fast.fast_resnet, recipe=SPEEDRUN, allow=("max-pool",)),
    "swish-se": Architecture(
        architectures_smooth.swish_se,
        recipe=replace(SHORT, epochs=20),
        allow=("activation", "batch-norm", "bias", "product"),
        plain=True,
    ),
    "convnext": Architecture(
        architectures_smooth.convnext,
        "mnist",
        replace(SHORT, epochs=12, weight_decay=MNIST.weight_decay, mirror=False),
        ("activation", "bias", "product"),
        plain=True,
    ),
}


@dataclass(frozen=True)
class Variant:
    """An architecture with the suffixes of its name read.

    Attributes:
        name: with its suffixes.
        architecture: of the name without them.
        normalisation: what its suffix stands for.
        capped: whether it says -capped.
    """

    name: str
    architecture: Architecture
    normalisation: type[layers.Layer] | None
    capped: bool

    @property
    def allow(self) -> tuple[str, ...]:
        """Return what `--allow` must name for the trained network."""
        more = {"batch-norm"} if self.normalisation is layers.BatchNormalization else set()
        more |= {"relu-cap"} if self.capped else set()
        return tuple(sorted({*self.architecture.allow, *more}))

    def build(self, width: float, dropout: float) -> keras.Model:
        """Return the untrained network; its ReLUs have no caps."""
        return self.architecture.build(Style(width, self.normalisation, dropout, self.architecture.bias))


def variant(name: str) -> Variant:
    """Read the name of an architecture with its suffixes.

    Raises:
        KeyError: there is no such architecture, or it takes no such suffix.
    """
    if name not in names():
        raise KeyError(name)
    base = name.removesuffix("-capped")
    suffix = next((known for known in NORMALISATIONS if known and base.endswith(known)), "")
    return Variant(
        name, ARCHITECTURES[base.removesuffix(suffix)], NORMALISATIONS[suffix], capped=name.endswith("-capped")
    )


def names() -> tuple[str, ...]:
    """Return every name that `variant` reads."""
    return tuple(f"{name}{suffix}" for name, known in ARCHITECTURES.items() for suffix in known.suffixes)
