"""Train a network of the zoo.

    python -m benchmarks.zoo.train vgg13 --width 0.25 --data cifar10.npz -o vgg13.h5

writes the network and, beside it, vgg13.json with its test accuracy and all that is needed to train it again. It
is checkpointed after each epoch: started again after an interruption, the same command goes on and ends with the
same weights. KERAS_BACKEND chooses the backend.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import click
import keras

from benchmarks.zoo.batch_scale import folded
from benchmarks.zoo.data import Dataset, download, load, scale
from benchmarks.zoo.files import save_json, save_model
from benchmarks.zoo.initial import scale_to_unit_variance
from benchmarks.zoo.options import fields_as_options
from benchmarks.zoo.table import Recipe, Variant, names, variant
from benchmarks.zoo.thresholds import ThresholdReLU, frozen, with_thresholds
from benchmarks.zoo.training import Run, accuracy, train

NUM_CALIBRATION = 256  # images that set the scale of the first weights and the first caps
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
ENVIRONMENT = {"keras", "backend", "python", "machine"}  # facts in which a training may go on elsewhere


@dataclass(frozen=True)
class Start:
    """The network before its first update.

    Attributes:
        variant: the architecture.
        width: its multiplier of channels.
        dropout: the rate of its dropout layers.
        cap_penalty: of its caps, if it has any.
        precision: the Keras dtype policy of the training; what is saved has float32 weights.
        init: a trained network of the same architecture and width, without caps, whose weights to start from.
    """

    variant: Variant
    width: float
    dropout: float
    cap_penalty: float
    precision: str = "float32"
    init: Path | None = None

    def build(self, data: Dataset) -> keras.Model:
        """Return the network with weights of `init`, or with random ones.

        Those of a network without normalisation are scaled by the first images.
        Caps start at the largest activation of random weights, and at the 99.9th percentile of trained ones.
        """
        keras.config.set_dtype_policy(self.precision)
        model = self.variant.build(self.width, self.dropout)
        keras.config.set_dtype_policy("float32")
        images = scale(data.x_train[:NUM_CALIBRATION])
        if self.init:
            model.set_weights(keras.models.load_model(self.init, compile=False).get_weights())
        elif self.variant.normalisation is None and not self.variant.architecture.plain:
            scale_to_unit_variance(model, images)
        if not self.variant.capped:
            return model
        return with_thresholds(model, images, 99.9 if self.init else 100.0, self.cap_penalty)


def dataset(source: str) -> Dataset:
    """Return the data of a file, or the set of keras.datasets with that name.

    Raises:
        click.BadParameter: `source` is neither.
    """
    if source in ("cifar10", "mnist"):
        return download(source)
    if not Path(source).is_file():
        raise click.BadParameter(f"{source!r} is neither a file nor mnist or cifar10", param_hint="--data")
    return load(Path(source))


def check_images(data: Dataset, shape: tuple[int, ...], name: str) -> None:
    """See that the images are those that a network takes.

    Raises:
        click.BadParameter: they have another shape.
    """
    found = data.x_train.shape[1:] if data.x_train.ndim == 4 else (*data.x_train.shape[1:], 1)
    if found != shape:
        raise click.BadParameter(f"has images of shape {found}; {name} takes {shape}", param_hint="--data")


def digest(data: Dataset) -> str:
    """Return the SHA-256 of the images and labels."""
    found = sha256()
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        found.update(array.tobytes())
    return found.hexdigest()


def facts_of(start: Start, recipe: Recipe, run: Run, data: Dataset) -> dict[str, object]:
    """Return everything that the weights depend on."""
    backend = keras.backend.backend()
    return {
        "architecture": start.variant.name,
        "width": start.width,
        "allow": list(start.variant.allow),
        "dataset": start.variant.architecture.dataset,
        "data_sha256": digest(data),
        "recipe": asdict(recipe),
        "precision": start.precision,
        "init": sha256(start.init.read_bytes()).hexdigest() if start.init else None,
        "seed": run.seed,
        "jit": run.jit,
        "keras": keras.__version__,
        "backend": f"{backend} {version(backend)}",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def finish(model: keras.Model, facts: dict[str, object], data: Dataset, output: Path) -> float:
    """Write a trained network and the facts beside it, and return its test accuracy."""
    final = folded(frozen(model))
    caps = {layer.name: layer.cap for layer in model.layers if isinstance(layer, ThresholdReLU)}
    found = accuracy(final, data)
    save_model(final, output)
    measured = {"test_accuracy": found, "parameters": final.count_params()} | ({"caps": caps} if caps else {})
    save_json({**facts, **measured}, output.with_suffix(".json"))
    return found


def resumable(checkpoint: Path, facts: dict[str, object], facts_path: Path) -> None:
    """Note what a checkpoint is of, or see that it is of the same training.

    Raises:
        click.ClickException: the checkpoint is of another training.
    """
    if not checkpoint.exists():
        save_json(facts, facts_path)
        return
    was = json.loads(facts_path.read_text(encoding="utf-8")) if facts_path.exists() else {}
    differing = sorted(key for key in {*was, *facts} - ENVIRONMENT if was.get(key) != facts.get(key))
    if differing:
        raise click.ClickException(
            f"{checkpoint} is of a training that differs in {', '.join(differing)}; delete it to begin again"
        )


@click.command()
@click.argument("name", type=click.Choice(names()))
@click.option("--width", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option(
    "--data", "source", help="A .npz in the layout of keras.datasets, cifar10 or mnist.  [default: the name's]"
)
@click.option("--precision", type=click.Choice(POLICIES), default="float32", show_default=True)
@click.option(
    "--init", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weights to start from."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Augmenting threads.")
@click.option("--jit/--no-jit", default=None, help="Compile with XLA.  [default: where Keras thinks it right]")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .h5 or .keras to write.")
@fields_as_options(Recipe, defaults=False)
def main(
    name: str,
    width: float,
    source: str | None,
    precision: str,
    init: Path | None,
    seed: int,
    workers: int,
    jit: bool | None,
    output: Path,
    **options: float | str | None,
) -> None:
    """Train the network NAME and write it with its test accuracy; unnamed options are those of its recipe."""
    chosen = variant(name)
    recipe = replace(chosen.architecture.recipe, **{k: v for k, v in options.items() if v is not None})
    data = dataset(source or chosen.architecture.dataset)
    check_images(data, chosen.architecture.image, name)
    start = Start(chosen, width, recipe.dropout, recipe.cap_penalty, precision, init)
    checkpoint = output.with_name(f"{output.stem}.checkpoint.keras")
    run = Run(seed, checkpoint, workers, jit)
    facts = facts_of(start, recipe, run, data)
    resumable(checkpoint, facts, checkpoint.with_suffix(".json"))
    model = train(lambda: start.build(data), data, recipe, run, lambda line: click.echo(line, err=True))
    found = finish(model, facts, data, output)
    for path in (checkpoint, checkpoint.with_suffix(".json")):
        path.unlink(missing_ok=True)
    click.echo(f"{output}: {found:.2%} of {len(data.y_test)} test images")


if __name__ == "__main__":
    main()
