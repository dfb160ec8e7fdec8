"""Train a network on with capped ReLUs: python -m benchmarks.zoo.train_thresholds --help."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import keras
import numpy as np

from benchmarks.zoo.data import Array, Dataset, load, mirror, scale, shift
from benchmarks.zoo.files import replacing, save_json, save_model
from benchmarks.zoo.options import fields_as_options
from benchmarks.zoo.thresholds import ThresholdReLU, frozen, with_thresholds
from benchmarks.zoo.training import accuracy, reseed

NUM_CALIBRATION = 512  # images: enough for the 99.5th percentile of every layer's activations


@dataclass(frozen=True)
class FineTuning:
    """How a trained network is trained on with caps.

    Attributes:
        epochs: passes over the training set.
        batch_size: images for one update.
        learning_rate: at the start; it falls to zero along a cosine.
        weight_decay: of AdamW, decoupled from the gradient.
        percentile: of each layer's activations; its cap at the start.
        penalty: adds penalty · (θ / initial θ)² to the loss for each cap.
        max_shift: the augmentation moves each image by up to so many pixels along each axis.
        flip: the augmentation mirrors half of the images.
        seed: of the order of the images, the augmentation and dropout.
    """

    epochs: int = 2
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 1e-2
    percentile: float = 99.5
    penalty: float = 1e-3
    max_shift: int = 2
    flip: bool = False
    seed: int = 1

    def augmented(self, images: Array, rng: np.random.Generator) -> Array:
        """Return the images as one epoch shows them."""
        shifted = shift(images, self.max_shift, rng)
        return mirror(shifted, rng) if self.flip else shifted


def started(model: keras.Model, data: Dataset, how: FineTuning) -> keras.Model:
    """Give a trained network its caps and an AdamW whose learning rate falls to zero along a cosine."""
    keras.utils.set_random_seed(how.seed)
    calibration = scale(data.x_train[:NUM_CALIBRATION])
    capped = with_thresholds(model, calibration, how.percentile, how.penalty)
    steps = max(1, how.epochs) * -(-len(data.x_train) // how.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(how.learning_rate, decay_steps=steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=how.weight_decay)
    capped.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return capped


def train(model: keras.Model, data: Dataset, how: FineTuning, checkpoint: Path | None = None) -> keras.Model:
    """Train a started network to the end, from the epoch that its optimiser has come to.

    The order, the augmentation and the dropout of an epoch depend on the seed and its number alone, so that a
    training that goes on from a checkpoint is the same as one that was never interrupted.
    """
    x, y = data.x_train.reshape(-1, *model.input_shape[1:]), data.y_train  # uint8, with a channel axis
    done = int(model.optimizer.iterations) // -(-len(x) // how.batch_size)
    for epoch in range(done, how.epochs):
        rng = np.random.default_rng((how.seed, epoch))
        reseed(model, rng)
        order = rng.permutation(len(x))
        images = scale(how.augmented(x[order], rng))
        history = model.fit(images, y[order], batch_size=how.batch_size, shuffle=False, verbose=0).history
        figures = ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.items())
        click.echo(f"epoch {epoch + 1}/{how.epochs}: {figures}", err=True)
        if checkpoint:
            with replacing(checkpoint) as temporary:
                model.save(temporary)
    return model


def written(model: keras.Model, facts: dict[str, object], data: Dataset, output: Path) -> None:
    """Write the network with its caps as constants, and the facts, its caps and its test accuracy beside it."""
    capped = [layer for layer in model.layers if isinstance(layer, ThresholdReLU)]
    for layer in capped:
        click.echo(f"{layer.name}: cap {layer.initial:.4g} -> {layer.cap:.4g}", err=True)
    constant = frozen(model)
    test_accuracy = accuracy(constant, data)
    facts = {**facts, "test_accuracy": test_accuracy, "caps": {layer.name: layer.cap for layer in capped}}
    facts |= {"keras": keras.__version__, "backend": keras.backend.backend()}
    save_model(constant, output)
    save_json(facts, output.with_suffix(".json"))
    click.echo(f"{output}: {test_accuracy:.2%} of {len(data.y_test)} test images")


@click.command()
@click.option("--init", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", "data_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .h5 or .keras to write.")
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .keras that is written after each epoch; where it exists, the training goes on from it.",
)
@fields_as_options(FineTuning)
def main(init: Path, data_path: Path, output: Path, checkpoint: Path | None, **options: float) -> None:
    """Train the network INIT on with caps, and write it with its caps as constants and its test accuracy.

    The data are a .npz in the layout of keras.datasets. With --epochs 0 the caps stay at their percentile.
    """
    how, data = FineTuning(**options), load(data_path)
    if checkpoint and checkpoint.exists():
        model = keras.models.load_model(checkpoint)
    else:
        model = started(keras.models.load_model(init, compile=False), data, how)
    written(train(model, data, how, checkpoint), {"init": init.name, **asdict(how)}, data, output)


if __name__ == "__main__":
    main()
