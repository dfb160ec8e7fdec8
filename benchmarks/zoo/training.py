"""Train a network by a recipe, with any Keras backend, from a checkpoint where there is one.

Everything random in an epoch depends on the seed and the epoch's number alone: the order of the images, their
augmentation and the dropout. A training that goes on from a checkpoint is therefore the same as one that was never
interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.zoo.data import Array, Dataset, cutmix, cutout, mirror, scale, shift
from benchmarks.zoo.files import replacing
from benchmarks.zoo.table import Recipe

MOMENTUM = 0.9  # of SGD
Report = Callable[[str], None]


class Batches(keras.utils.PyDataset):
    """The batches of one epoch, augmented: images in [0, 1] of shape (N, height, width, C), labels (N, 10).

    Images that fill no whole batch are left out of the epoch; another order leaves out others.
    """

    def __init__(self, data: Dataset, recipe: Recipe, seed: int, epoch: int, workers: int = 1) -> None:
        super().__init__(workers=workers, max_queue_size=8 * workers)
        self.data, self.recipe, self.seed, self.epoch = data, recipe, seed, epoch
        self.order = np.random.default_rng((seed, epoch)).permutation(len(data.x_train))

    def __len__(self) -> int:
        return num_batches(self.data, self.recipe)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        size = self.recipe.batch_size
        chosen = self.order[index * size : (index + 1) * size]
        images = self.data.x_train[chosen]
        images = augmented(images if images.ndim == 4 else images[..., np.newaxis], self.recipe, rng)
        labels = np.eye(10, dtype=np.float32)[self.data.y_train[chosen]]
        if self.recipe.cutmix:
            images, labels = cutmix(images, labels, self.recipe.cutmix, rng)
        return scale(images), labels


@dataclass(frozen=True)
class Run:
    """What a training needs beside its recipe.

    Attributes:
        seed: of the weights, the order of the images, the augmentation and the dropout.
        checkpoint: a .keras that is written after each epoch; where it exists, the training goes on from it.
        workers: threads that augment images.
        jit: compile with XLA; None lets Keras choose.
    """

    seed: int = 1
    checkpoint: Path | None = None
    workers: int = 1
    jit: bool | None = None


def num_batches(data: Dataset, recipe: Recipe) -> int:
    """Return the number of updates in an epoch: at least one."""
    return max(1, len(data.x_train) // recipe.batch_size)


def augmented(images: Array, recipe: Recipe, rng: np.random.Generator) -> Array:
    """Return images as the recipe shows them, shape (N, height, width, C)."""
    images = shift(images, recipe.max_shift, rng) if recipe.max_shift else images
    images = mirror(images, rng) if recipe.mirror else images
    return cutout(images, recipe.cutout, rng) if recipe.cutout else images


def optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return the optimiser, its learning rate rising linearly and then falling along a cosine to zero."""
    total = max(1, recipe.epochs * steps_per_epoch)
    warmup = min(round(recipe.warmup * steps_per_epoch), total - 1)
    if warmup:
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, decay_steps=total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
    else:
        schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, decay_steps=total)
    common = {"weight_decay": recipe.weight_decay, "global_clipnorm": recipe.clip or None}
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=MOMENTUM, nesterov=True, **common)
    return keras.optimizers.AdamW(schedule, **common)


def compile_model(model: keras.Model, recipe: Recipe, steps_per_epoch: int, jit: bool | None = None) -> None:
    """Give a network its optimiser and loss."""
    model.compile(
        optimizer=optimizer(recipe, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile="auto" if jit is None else jit,
    )


def train(
    build: Callable[[], keras.Model], data: Dataset, recipe: Recipe, run: Run, report: Report
) -> keras.Model:
    """Train a network to the end, from its checkpoint if there is one, else from `build()`.

    Args:
        report: called with a line of text after each epoch.
    """
    steps = num_batches(data, recipe)
    if run.checkpoint and run.checkpoint.exists():
        model = keras.models.load_model(run.checkpoint)
    else:
        keras.utils.set_random_seed(run.seed)
        model = build()
        compile_model(model, recipe, steps, run.jit)
    done = int(model.optimizer.iterations) // steps
    for epoch in range(done, recipe.epochs):
        reseed(model, np.random.default_rng((run.seed, epoch)))
        batches = Batches(data, recipe, run.seed, epoch, run.workers)
        history = model.fit(batches, shuffle=False, verbose=0).history
        figures = ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.items())
        report(f"epoch {epoch + 1}/{recipe.epochs}: {figures}")
        if run.checkpoint:
            with replacing(run.checkpoint) as temporary:
                model.save(temporary)
    return model


def reseed(model: keras.Model, rng: np.random.Generator) -> None:
    """Set the random state of the dropout layers, which no Keras file holds."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout) and layer.rate:
            layer.seed_generator.state.assign(rng.integers(0, 2**32, 2, dtype=np.uint32))


def accuracy(model: keras.Model, data: Dataset) -> float:
    """Return the fraction of the test set that a network classifies correctly."""
    found: list[Array] = []
    for start in range(0, len(data.x_test), 500):
        scores: Any = model.predict_on_batch(scale(data.x_test[start : start + 500]))
        found.append(np.argmax(scores, axis=-1))
    return float(np.mean(np.concatenate(found) == data.y_test))
