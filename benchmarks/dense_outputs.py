"""Train a U-Net and a Conv1D regression, and show what each method loses in the metric of their task.

    python -m benchmarks.dense_outputs --train 2000 --limit 200 -o outputs

The data are drawn. The U-Net finds discs and squares in noisy images: a class for each pixel. The regression tells
the frequency and the amplitude of a noisy wave. A second training gives both networks capped ReLUs, for
threshold-relu. With -o, the models, and data for `kgenn compile` and `kgenn run`, are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import kgenn
from kgenn.cli.console import print_table
from kgenn.ir.graph import Array
from kgenn.tasks.metric import title, written

# Methods with the numbers of timesteps that are shown.
METHODS = (
    ("none", 64),
    ("data-norm", 64),
    ("data-norm", 256),
    ("fission", 8),
    ("spike-norm", 256),
    ("burst", 64),
    ("calibrated", 16),
    ("few-spike", 8),
    ("ttfs", 64),
    ("threshold-relu", 64),
)
CALIBRATION_SAMPLES = 256
SIDE, LENGTH = 32, 64
SHAPES = 3  # in an image
ALLOW = ("bias", "relu-cap")


def images(count: int, seed: int) -> tuple[Array, Array]:
    """Return noisy images with discs and squares, (N, 32, 32, 1) in [0, 1], and the class of each pixel.

    0 is the background, 1 a disc, 2 a square; the later shape covers the earlier.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    shades, classes = np.empty((count, SIDE, SIDE)), np.zeros((count, SIDE, SIDE), np.int64)
    for i in range(count):
        shades[i] = 0.2 + 0.2 * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / SIDE
        for _ in range(SHAPES):
            kind, (cy, cx), size = rng.integers(1, 3), rng.uniform(5, SIDE - 5, 2), rng.uniform(3, 6)
            dy, dx = np.abs(y - cy), np.abs(x - cx)
            inside = dy**2 + dx**2 <= size**2 if kind == 1 else np.maximum(dy, dx) <= size * 0.9
            shades[i][inside], classes[i][inside] = rng.uniform(0.5, 0.9), kind
    noisy = np.clip(shades + rng.normal(0, 0.05, shades.shape), 0, 1)
    return noisy[..., None].astype(np.float32), classes


def waves(count: int, seed: int) -> tuple[Array, Array]:
    """Return noisy waves, (N, 64, 1) in [0, 1], and of each the frequency in periods and the amplitude."""
    rng = np.random.default_rng(seed)
    frequency, amplitude, phase = (
        rng.uniform(low, high, (count, 1)) for low, high in ((2, 8), (0.1, 0.4), (0, 1))
    )
    t = np.arange(LENGTH) / LENGTH
    clean = 0.5 + amplitude * np.sin(2 * np.pi * (frequency * t + phase))
    x = np.clip(clean + rng.normal(0, 0.03, clean.shape), 0, 1)
    return x[..., None].astype(np.float32), np.concatenate([frequency / 8, amplitude / 0.4], axis=1)


def unet() -> Any:
    """Return a U-Net of three scales, not yet trained."""
    from keras import Input, Model, layers

    def block(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    x = given = Input((SIDE, SIDE, 1))
    skips = []
    for filters in (8, 16):
        x = block(x, filters)
        skips.append(x)
        x = layers.AveragePooling2D(2)(x)
    x = block(x, 32)
    for filters in (16, 8):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skips.pop()])
        x = block(x, filters)
    return Model(given, layers.Conv2D(3, 1, activation="softmax")(x), name="unet")


def regression() -> Any:
    """Return a Conv1D regression of two values, not yet trained."""
    from keras import Sequential, layers

    convolutions = [layers.Conv1D(filters, 5, strides=2, activation="relu") for filters in (16, 32, 32)]
    head = [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(2)]
    return Sequential([layers.Input((LENGTH, 1)), *convolutions, *head], name="waves")


@dataclass(frozen=True)
class Case:
    """A network with its data and its training.

    Attributes:
        epochs: of the training; the one with capped ReLUs takes a quarter.
    """

    name: str
    model: Callable[[], Any]
    data: Callable[[int, int], tuple[Array, Array]]
    loss: str
    epochs: int


CASES = (
    Case("unet", unet, images, "sparse_categorical_crossentropy", 8),
    Case("waves", regression, waves, "mse", 40),
)


def trained(case: Case, x: Array, y: Array) -> tuple[Any, Any]:
    """Return a trained model, and one trained on with capped ReLUs."""
    import keras

    from benchmarks.zoo.thresholds import frozen, with_thresholds

    keras.utils.set_random_seed(0)
    model = case.model()
    model.compile(keras.optimizers.Adam(2e-3), case.loss)
    model.fit(x, y, 32, case.epochs, verbose=0)
    capped = with_thresholds(model, x[:CALIBRATION_SAMPLES], 99.5, 1e-5)
    capped.compile(keras.optimizers.Adam(5e-4), case.loss)
    capped.fit(x, y, 32, -(-case.epochs // 4), verbose=0)
    return model, frozen(capped)


def rows(case: Case, models: tuple[Any, Any], x: Array, test: tuple[Array, Array]) -> list[tuple[str, ...]]:
    """Return for each method T, the metrics of its network and of the model, and spikes per neuron."""
    found = []
    for method, steps in METHODS:
        graph = kgenn.load(models[method == "threshold-relu"])
        few = x[:CALIBRATION_SAMPLES]
        net = kgenn.convert(graph, calibration=few, converter=method, timesteps=steps, allow=ALLOW, check=False)
        snn = kgenn.compile(net)
        result = snn.with_ann(*test, snn.evaluate(*test), max_samples=len(test[0]))
        (own,) = result.outputs.values()
        assert own.ann is not None
        both = [f"{written(own.metric, own.ann.ann)} → {written(own.metric, own.value)}"]
        others = [f"{title(n)} {written(n, v)}" for n, v in own.metrics.items() if n != own.metric]
        found.append((case.name, method, str(steps), title(own.metric), *both, ", ".join(others)))
        found[-1] = (*found[-1], f"{result.spikes_per_neuron:.2f}")
    return found


def keep(
    directory: Path, case: Case, models: tuple[Any, Any], x: Array, y: Array, test: tuple[Array, Array]
) -> None:
    """Write the models, calibration data and test data."""
    directory.mkdir(parents=True, exist_ok=True)
    for model, suffix in zip(models, ("", "_capped"), strict=True):
        model.save(directory / f"{case.name}{suffix}.keras")
    few = slice(CALIBRATION_SAMPLES)
    np.savez(directory / f"{case.name}.npz", x_train=x[few], y_train=y[few], x_test=test[0], y_test=test[1])


@click.command()
@click.option("--train", "count", type=int, default=2000, show_default=True, help="Samples to train on.")
@click.option("--limit", type=int, default=200, show_default=True, help="Test samples.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Keep the models and the data in this directory."
)
def main(count: int, limit: int, output: Path | None) -> None:
    """Train and convert."""
    table: list[tuple[str, ...]] = []
    for case in CASES:
        x, y = case.data(count, 1)
        test = case.data(limit, 2)
        models = trained(case, x, y)
        if output is not None:
            keep(output, case, models, x, y, test)
        table += rows(case, models, x, test)
    columns = (
        "network",
        "method",
        ">T",
        "metric",
        ">model → spiking",
        "spiking, other metrics",
        ">spikes per neuron",
    )
    print_table(columns, table)


if __name__ == "__main__":
    main()
