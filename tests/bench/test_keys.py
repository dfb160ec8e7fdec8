"""Keys of cells: equal exactly where everything that determines the result is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kgenn.backends.base import RunOptions
from kgenn.bench.config import read_configs
from kgenn.bench.files import FileSearch, Library, Ports, samples_of
from kgenn.bench.rerun import CellTask, tasks_of
from kgenn.diagnostics import KgennError
from kgenn.ir.samples import Samples
from sweeps import CALIBRATION, IMAGES, MODEL, written

pytestmark = pytest.mark.quick

NAMED = 'title = "a"\nmodels = "net"\ndata = "images"\nscale = "1/255"\ncalibration = { data = "few" }\n'
# each gives a cell of its own, and the first is what the others change
SWEEPS = [
    'converter = "few-spike"',
    'converter = "ttfs"\ntimesteps = 8',
    'converter = "few-spike"\ntimesteps = 7',
    'converter = "few-spike"\ntimesteps = "auto"',
    'converter = "few-spike"\ntimesteps = "auto"\nloss = 1',
    'converter = "few-spike"\nrounding = false',
    'converter = "few-spike"\nencoder = "few-spike"',
    'converter = "few-spike"\nseed = 1',
    'converter = "few-spike"\ntarget = "reference"',
    'converter = "few-spike"\nresidual = "identity"',
    'converter = "few-spike"\npieces = 4',
    'converter = "few-spike"\nweight-bits = 8',
    'converter = "few-spike"\nweight-bits = "auto"',
    'converter = "few-spike"\nallow = "bias"',
    'converter = "few-spike"\ninput-shape = [28, 28, 1]',
    'converter = "few-spike"\nlimit = 20',
    'converter = "few-spike"\nlayer-samples = 3',
    'converter = "few-spike"\nann-samples = 3',
    'converter = "few-spike"\nsplit = "train"',
    'converter = "data-norm"\nreadout = "current"',
    'converter = "data-norm"',
]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return a directory with a model and data sets by name."""
    for source, name in ((MODEL, "net.h5"), (IMAGES, "images.npz"), (CALIBRATION, "few.npz")):
        shutil.copy(source, tmp_path / name)
    return tmp_path


def tasks(shelf: Path, text: str, threads: int = 1) -> list[CellTask]:
    experiments = read_configs([written(shelf, text)])
    library = Library(FileSearch.of([str(shelf)]), FileSearch.of([str(shelf)]))
    library.look_up(experiments)
    return [task for e in experiments for task in tasks_of(e, library, RunOptions(threads))]


def key(shelf: Path, text: str, threads: int = 1) -> str:
    (task,) = tasks(shelf, text, threads)
    return task.key


def test_whatever_changes_a_result_changes_the_key(shelf: Path) -> None:
    keys = [key(shelf, NAMED + sweep) for sweep in SWEEPS]
    keys.append(key(shelf, NAMED.replace("1/255", "1/256") + SWEEPS[0]))
    keys.append(key(shelf, NAMED.replace('"few" }', '"few", samples = 9 }') + SWEEPS[0]))
    assert len(set(keys)) == len(keys)
    assert all(len(k) == 16 and int(k, 16) >= 0 for k in keys)


def test_what_changes_no_result_changes_no_key(shelf: Path) -> None:
    first = key(shelf, NAMED + SWEEPS[0])
    assert key(shelf, NAMED + SWEEPS[0], threads=2) == first
    assert key(shelf, NAMED.replace("1/255", "2/510") + SWEEPS[0] + '\nrounding = true\nnote = "b"') == first
    (shelf / "net.h5").rename(shelf / "other.h5")
    assert key(shelf, NAMED.replace("net", "other") + SWEEPS[0]) == first


def test_a_scale_is_one_number_however_it_is_written(shelf: Path) -> None:
    one, other = (tasks(shelf, NAMED.replace("1/255", scale) + SWEEPS[0])[0] for scale in ("1/127.5", "2/255"))
    assert one.key == other.key
    assert [task.cell.setup.data.scale for task in (one, other)] == ["1/127.5", "2/255"]
    ports = Ports((("x", (28, 28, 1)),), ("y",))
    found = (samples_of(t.files.data, "test", 3, t.cell.setup.data.scale, ports) for t in (one, other))
    pixels = [data.x.arrays["x"] for data in found if isinstance(data.x, Samples)]
    assert np.array_equal(*pixels)
    assert pixels[0].max() == 2


def test_the_contents_of_files_are_in_the_key(shelf: Path) -> None:
    before = key(shelf, NAMED + SWEEPS[0])
    shutil.copy(IMAGES, shelf / "few.npz")
    assert key(shelf, NAMED + SWEEPS[0]) != before


def test_a_file_may_be_given_by_name(shelf: Path) -> None:
    experiments = read_configs([written(shelf, NAMED + SWEEPS[0])])
    library = Library(FileSearch.of([f"net={MODEL}"]), FileSearch.of([f"images={IMAGES}", f"few={CALIBRATION}"]))
    library.look_up(experiments)
    (task,) = tasks_of(experiments[0], library, RunOptions(1))
    assert (task.files.model.path, task.files.data.path) == (MODEL, IMAGES)
    assert task.key == key(shelf, NAMED + SWEEPS[0])


def test_all_files_that_are_not_there_are_told_at_once(tmp_path: Path) -> None:
    experiments = read_configs([written(tmp_path, NAMED + SWEEPS[0])])
    with pytest.raises(KgennError) as caught:
        Library(FileSearch(), FileSearch()).look_up(experiments)
    assert [d.code for d in caught.value.diagnostics] == ["KG621"] * 3
    assert [d.where for d in caught.value.diagnostics] == ["model net", "data images", "data few"]


def test_a_data_set_that_keras_has_kept_is_found(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shelf / "datasets").mkdir()
    shutil.copy(IMAGES, shelf / "datasets/mnist.npz")
    monkeypatch.setenv("KERAS_HOME", str(shelf))
    (task,) = tasks(shelf, NAMED.replace('"images"', '"mnist"') + SWEEPS[0])
    assert task.files.data.path == shelf / "datasets/mnist.npz"
