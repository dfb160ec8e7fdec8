"""Train a siamese network with heads at two depths, and show what each method loses of each output.

    python -m benchmarks.siamese mnist.npz --pairs 12000 --limit 500

Two images go through one convolutional tower. Its features of the first image give the digit; those of both give
whether the digits are the same, of which a half of the pairs are. mnist.npz has the layout of keras.datasets. The
table has the accuracy of each output in %, as the model has it and as the spiking network has it. threshold-relu
converts a twin that is trained on with capped ReLUs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

import kgenn
from kgenn.cli.console import print_table
from kgenn.data.load import load_data
from kgenn.ir.graph import Array

# Methods with the numbers of timesteps that are shown.
METHODS = (
    ("none", 64),
    ("data-norm", 64),
    ("fission", 8),
    ("spike-norm", 128),
    ("burst", 64),
    ("calibrated", 16),
    ("few-spike", 4),
    ("few-spike", 8),
    ("ttfs", 64),
    ("threshold-relu", 64),
)
CALIBRATION_SAMPLES = 256
EPOCHS, CAPPED_EPOCHS = 4, 1


def pairs(images: Array, digits: Array, count: int, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return pairs of images in [0, 1], of which a half have the same digit, and their labels."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(images), count)
    of_digit = [np.flatnonzero(digits == digit) for digit in range(10)]
    same = rng.integers(0, 2, count).astype(bool)
    wanted = np.where(same, digits[first], (digits[first] + rng.integers(1, 10, count)) % 10)
    second = np.array([rng.choice(of_digit[digit]) for digit in wanted])
    left, right = (images[chosen][..., None] / np.float32(255) for chosen in (first, second))
    return {"left": left, "right": right}, {"digit": digits[first], "same": same.astype(np.int64)}


def model(seed: int = 0) -> object:
    """Return the network, not yet trained: ReLU only, no bias, average pooling."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    left, right = keras.Input((28, 28, 1), name="left"), keras.Input((28, 28, 1), name="right")
    tower = [
        layers.Conv2D(12, 5, activation="relu", use_bias=False),
        layers.AveragePooling2D(2),
        layers.Conv2D(24, 5, activation="relu", use_bias=False),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(48, activation="relu", use_bias=False),
    ]
    one, two = left, right
    for layer in tower:
        one, two = layer(one), layer(two)
    digit = layers.Dense(10, activation="softmax", use_bias=False, name="digit")(one)
    # |a − b| as two ReLUs, of which the next weights take the sum
    ahead, behind = (layers.ReLU()(layers.Subtract()(both)) for both in ([one, two], [two, one]))
    apart = layers.Dense(32, activation="relu", use_bias=False)(layers.Concatenate()([ahead, behind, one, two]))
    same = layers.Dense(2, activation="softmax", use_bias=False, name="same")(apart)
    return keras.Model([left, right], [digit, same], name="siamese")


def accuracies(scores: dict[str, Array], labels: dict[str, Array]) -> list[str]:
    """Return the accuracy of each output in %."""
    return [f"{100 * (scores[name].argmax(axis=1) == y).mean():.1f}" for name, y in labels.items()]


def trained(x: dict[str, Array], y: dict[str, Array]) -> tuple[object, object]:
    """Return the trained network, and one that was trained on with capped ReLUs."""
    from benchmarks.zoo.thresholds import frozen, with_thresholds

    def fit(network: Any, epochs: int) -> Any:
        network.compile("adam", loss="sparse_categorical_crossentropy")
        network.fit(list(x.values()), list(y.values()), 64, epochs, verbose=0)
        return network

    first = fit(model(), EPOCHS)
    few = [array[:CALIBRATION_SAMPLES] for array in x.values()]
    return first, frozen(fit(with_thresholds(first, few, 99.5, 1e-5), CAPPED_EPOCHS))


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--pairs", "count", type=int, default=12_000, show_default=True, help="Pairs to train on.")
@click.option("--limit", type=int, default=500, show_default=True, help="Test pairs.")
def main(data: Path, count: int, limit: int) -> None:
    """Train and convert."""
    train, test = load_data(data, "train"), load_data(data, "test")
    x, y = pairs(np.asarray(train.x), np.asarray(train.y), count, 1)
    x_test, y_test = pairs(np.asarray(test.x), np.asarray(test.y), limit, 2)
    graph, capped = (kgenn.load(found) for found in trained(x, y))
    rows = []
    for name, source in (("model", graph), ("model with capped ReLUs", capped)):
        found = dict(zip(y, source.predict(x_test), strict=True))
        rows.append((name, "", *accuracies(found, y_test), ""))
    few = {name: array[:CALIBRATION_SAMPLES] for name, array in x.items()}
    for method, steps in METHODS:
        source, allow = (capped, ("relu-cap",)) if method == "threshold-relu" else (graph, ())
        network = kgenn.convert(
            source, calibration=few, converter=method, timesteps=steps, allow=allow, check=False
        )
        result = kgenn.compile(network).evaluate(x_test, y_test)
        scores = {name: output.scores for name, output in result.outputs.items()}
        rows.append((method, str(steps), *accuracies(scores, y_test), f"{result.spikes_per_neuron:.2f}"))
    print_table(("method", ">T", ">digit", ">same", ">spikes per neuron"), rows)


if __name__ == "__main__":
    main()
