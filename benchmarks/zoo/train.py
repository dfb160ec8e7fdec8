"""Train a network of the zoo: python -m benchmarks.zoo.train mnist-cnn --data mnist.npz -o mnist_cnn.h5."""

from __future__ import annotations

import json
from pathlib import Path

import click
import keras
import numpy as np

from benchmarks.zoo.architectures import RECIPES, Recipe
from benchmarks.zoo.data import Dataset, download, load, scale, shift
from benchmarks.zoo.files import replacing


def compiled(recipe: Recipe, num_images: int, epochs: int) -> keras.Model:
    """Build the network with AdamW, its learning rate falling to zero along a cosine."""
    steps = epochs * -(-num_images // recipe.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, decay_steps=steps)
    model = recipe.build()
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(recipe: Recipe, data: Dataset, epochs: int, seed: int) -> keras.Model:
    """Train the network from a seed; the order and the shifts of the images are new in every epoch."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = scale(data.x_train), data.y_train
    model = compiled(recipe, len(x), epochs)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        history = model.fit(
            shift(x[order], recipe.max_shift, rng),
            y[order],
            batch_size=recipe.batch_size,
            shuffle=False,
            verbose=0,
        ).history
        figures = ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.items())
        click.echo(f"epoch {epoch + 1}/{epochs}: {figures}", err=True)
    return model


def accuracy(model: keras.Model, data: Dataset) -> float:
    """Return the fraction of the test set that the network classifies correctly."""
    scores = model.predict(scale(data.x_test), batch_size=500, verbose=0)
    return float(np.mean(np.argmax(scores, axis=-1) == data.y_test))


def save(model: keras.Model, facts: dict[str, object], path: Path) -> None:
    """Write the network without its optimiser's state, and the facts beside it as JSON."""
    with replacing(path) as temporary:
        model.save(temporary, include_optimizer=False)
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@click.command()
@click.argument("name", type=click.Choice(sorted(RECIPES)))
@click.option(
    "--data",
    "data_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .npz in the layout of keras.datasets; without it, keras.datasets is asked.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training set; default: the recipe's.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .h5 or .keras to write.")
def main(name: str, data_path: Path | None, epochs: int | None, seed: int, output: Path) -> None:
    """Train the network NAME and write it with its test accuracy."""
    recipe = RECIPES[name]
    data = load(data_path) if data_path else download(recipe.dataset)
    epochs = epochs or recipe.epochs
    model = train(recipe, data, epochs, seed)
    facts: dict[str, object] = {
        "architecture": name,
        "dataset": recipe.dataset,
        "test_accuracy": accuracy(model, data),
        "parameters": model.count_params(),
        "epochs": epochs,
        "seed": seed,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    save(model, facts, output)
    click.echo(f"{output}: {facts['test_accuracy']:.2%} of {len(data.y_test)} test images")


if __name__ == "__main__":
    main()
