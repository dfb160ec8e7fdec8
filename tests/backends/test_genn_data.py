"""What a GeNN program makes of a data file, before it builds anything: these parts of it need no pygenn."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kgenn
from kgenn.backends.genn_program import MODEL, emit_genn
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from ported_models import arrays, labels_of, two_inputs
from recordings import converted


@cache
def ported() -> Network:
    """Return a network of two inputs and three outputs."""
    return kgenn.convert(two_inputs(), calibration=arrays(), timesteps=4, encoder="direct", check=False)


def reader_of(network: Network) -> Callable[[Path], tuple[list[Array], list[Array | None]]]:
    """Return what reads and checks a data file in the program of a network."""
    text = emit_genn(network, "cpu").files[MODEL].decode()
    found: dict[str, Any] = {"np": np, "zipfile": zipfile}
    exec(text[text.index("# What NumPy raises") : text.index("def main")], found)

    def read(path: Path) -> tuple[list[Array], list[Array | None]]:
        x, y = found["read_data"](path, None)
        found["check_labels"](path, y, len(x[0]))
        return x, y

    return read


def refusal(network: Network, path: Path) -> str:
    with pytest.raises(SystemExit) as caught:
        reader_of(network)(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


def damaged(path: Path, kind: str) -> Path:
    """Write a file that is no data file."""
    np.savez(path, x=np.zeros((3, 84), np.float32))
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("x")
        case "cut off":
            path.write_bytes(path.read_bytes()[:-30])
        case "an array":
            with path.open("wb") as file:
                np.save(file, np.zeros((3, 84), np.float32))
        case "a number":
            np.savez(path, x=np.float32(1))
        case "objects":
            np.savez(path, x=np.array([{}], object))
        case "other names":
            np.savez(path, images=np.zeros((3, 84), np.float32))
    return path


KINDS = ["empty", "text", "cut off", "an array", "a number", "objects", "other names"]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_samples_is_one_line(kind: str, several: bool, tmp_path: Path) -> None:
    network = ported() if several else converted("conv_same", "if")
    assert "no" in refusal(network, damaged(tmp_path / "data.npz", kind))


def test_inputs_of_several_lengths_are_refused(tmp_path: Path) -> None:
    image, meta = arrays().values()
    np.savez(tmp_path / "data.npz", image=image[:5], meta=meta[:4])
    assert "the inputs have 5, 4 samples" in refusal(ported(), tmp_path / "data.npz")


def test_data_of_several_inputs_and_outputs_are_read_by_name_and_by_number(tmp_path: Path) -> None:
    image, meta = (x[:5] for x in arrays().values())
    labels = {name: y[:5] for name, y in labels_of(two_inputs()).items()}
    np.savez(tmp_path / "data.npz", image=image, x_1=meta, **labels)
    x, y = reader_of(ported())(tmp_path / "data.npz")
    assert np.array_equal(x[0], image)
    assert np.array_equal(x[1], meta)
    assert len(y) == len(ported().outputs)
    assert [name for name, found in zip(labels, y, strict=True) if not np.array_equal(found, labels[name])] == []


@pytest.mark.parametrize("labels", [np.zeros(2), np.zeros((3, 5)), np.zeros((3, 2)), np.zeros((2, 4))])
def test_labels_that_are_not_those_of_the_samples_are_refused(labels: Array, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((3, 84), np.float32), y=labels)
    assert f"has labels of shape {labels.shape}; 3 samples have 1 or 4 each" in refusal(
        converted("conv_same", "if"), path
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 4], "labels from 0 to 4; the classes are 0 to 3"),
        ([-1, 0, 1], "labels from -1 to 1"),
        ([0, 0.5, 1], "labels from 0 to 1"),
        ([0, np.nan, 1], "labels that are not finite"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: list[float], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 84), np.float32), y=np.array(labels))
    assert words in refusal(converted("conv_same", "if"), tmp_path / "x.npz")


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 4)])
def test_labels_are_classes_or_one_hot_rows(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((3, 84), np.float32), y=np.zeros(shape))
    _, (y,) = reader_of(converted("conv_same", "if"))(path)
    assert y is not None
    assert y.shape == shape
