"""What a configuration asks for: experiments, and the cells that they consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn.bench.input_shapes import NO_SHAPES, InputShapes
from kgenn.bench.kinds import UNSPECIFIED, Kinds
from kgenn.bench.rows import Kind, Published
from kgenn.conversion.recipe import Recipe
from kgenn.timestep_search import TimestepSearch

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
    kinds: Kinds = UNSPECIFIED
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
