"""What a configuration asks for: experiments, and the cells that they consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kgenn.bench.config_file import ConfigTable, ConfigValue
from kgenn.bench.rows import Kind, Published
from kgenn.comma_list import entry
from kgenn.conversion.recipe import Recipe
from kgenn.ir.graph import Shape
from kgenn.tasks import TASKS
from kgenn.tasks.goal import Choice, choices
from kgenn.timestep_search import TimestepSearch


@dataclass(frozen=True)
class InputShapes:
    """The shape of one sample, or those of some inputs; of none where the model has all sizes itself.

    Attributes:
        named: pairs of an input's name and its shape; "" stands for the only input.
    """

    named: tuple[tuple[str, Shape], ...] = ()

    @property
    def given(self) -> Shape | dict[str, Shape] | None:
        """Return them as `kgenn.api.as_graph` takes them."""
        own = dict(self.named)
        return own.get("", own) if own else None

    def record(self) -> dict[str, Any]:
        """Return the entry of a result, JSON-able; none where no shape is given."""
        own: dict[str, Any] = {name: list(shape) for name, shape in self.named}
        return {"input_shape": own.get("", own)} if own else {}

    def flags(self) -> list[str]:
        """Return the flags of `kgenn compile` that give them."""
        texts = (f"{name}=" * bool(name) + ",".join(map(str, shape)) for name, shape in self.named)
        return [word for text in texts for word in ("--input-shape", text)]


# The model has all sizes itself.
NO_SHAPES = InputShapes()


# A value for all outputs, or pairs of an output and its value.
Given = Any


@dataclass(frozen=True)
class TaskOptions:
    """What outputs are for, as far as the user says it.

    Attributes:
        task, metric, threshold: for all outputs, or pairs of an output's name and its own; None if not given.
    """

    task: Given = None
    metric: Given = None
    threshold: Given = None

    def choices(self, outputs: Sequence[str]) -> dict[str, Choice]:
        """Return the choice of each output.

        Raises:
            KgennError: KG401 for an output that a model lacks.
        """
        values = self.to_dict()
        return choices(outputs, *(values.get(field.name) for field in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """Return what is said as JSON-able data."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {n: dict(v) if isinstance(v, tuple) else v for n, v in given.items() if v is not None}

    def flags(self) -> list[str]:
        """Return the flags of `kgenn compile`."""
        words: list[str] = []
        for name, value in self.to_dict().items():
            named = value if isinstance(value, Mapping) else {"": value}
            for output, own in named.items():
                words += [f"--{name}", entry(f"{output}={own}") if output else str(own)]
        return words


# Nothing is said.
UNSPECIFIED = TaskOptions()


def task_options_of(scope: ConfigTable) -> TaskOptions:
    """Return what a sweep says of its outputs.

    Raises:
        KgennError: KG620.
    """
    readers = {"task": _task, "metric": ConfigValue.text, "threshold": _number}
    return TaskOptions(**{name: _given(scope, name, read) for name, read in readers.items()})


def _given(scope: ConfigTable, name: str, read: Callable[[ConfigValue], Any]) -> Given:
    found = scope.get(name)
    if found is None:
        return None
    if not isinstance(found.value, dict):
        return read(found)
    return tuple((output, read(ConfigValue(value, found.place / output))) for output, value in found.value.items())


def _task(found: ConfigValue) -> str:
    return found.one_of(tuple(TASKS))


def _number(found: ConfigValue) -> float:
    if isinstance(found.value, bool) or not isinstance(found.value, int | float):
        raise found.place.fail(f"threshold is {found.value!r}", "give a number")
    return float(found.value)


SPLITS = ("train", "test")
GivenScale = str | tuple[tuple[str, str], ...] | None


@dataclass(frozen=True)
class NamedFile:
    """A model or data set as a configuration names it.

    Attributes:
        name: what tables call it.
        path: where it is, if the configuration says so.
    """

    name: str
    path: Path | None = None

    def __str__(self) -> str:
        return self.name if self.path is None else str(self.path)


@dataclass(frozen=True)
class RunData:
    """The samples that a network runs on: the first `limit` of a split; all of them where that is None.

    Attributes:
        scale: such as "1/255", or pairs of an input's name and its own; of the calibration data too.
    """

    source: NamedFile
    split: str
    scale: GivenScale
    limit: int | None


@dataclass(frozen=True)
class CalibrationData:
    """The samples that a converter learns from: the first so many of a split."""

    source: NamedFile
    split: str
    samples: int


@dataclass(frozen=True)
class Setup:
    """Everything that determines what a cell gives, but for the contents of the files that it names.

    Attributes:
        timesteps: T, or a search for the fewest; None where it is the number of frames.
        layer_samples: of the test data, the first so many give the error of each layer.
        ann_samples: of the test data, the first so many are computed with the network's weights as an ANN and as
            its quantised twin; None: as many as take a few seconds.
        input_shape: where the model leaves a size open.
        kinds: what the model's outputs are for, as far as the user says it.
        frames: inputs change with time, and samples have a frame for each timestep.
    """

    model: NamedFile
    data: RunData
    calibration: CalibrationData
    recipe: Recipe
    timesteps: int | TimestepSearch | None
    target: str
    layer_samples: int
    ann_samples: int | None = None
    input_shape: InputShapes = NO_SHAPES
    kinds: TaskOptions = UNSPECIFIED
    frames: bool = False


@dataclass(frozen=True)
class Cell:
    """One entry of a table: a setup, and where it stands among the others.

    Attributes:
        axes: the value on each axis, by the flag's name: model, converter … and each swept option.
    """

    setup: Setup
    axes: Mapping[str, Any] = field(compare=False)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.axes.items())


@dataclass(frozen=True)
class Experiment:
    """One table or figure.

    Attributes:
        name: the configuration file's, and its own where the file has several.
        source: the publication whose figures it is compared with.
        rows, columns: axes, as the paper's table has them.
        cells: in the order of the sweeps.
    """

    name: str
    title: str
    note: str
    source: str | None
    kind: Kind
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    published: tuple[Published, ...]
    cells: tuple[Cell, ...]
