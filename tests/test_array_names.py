"""Which arrays of a data file are samples and labels, and what is said where they are not all there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kgenn.data.load import Data, load_data
from kgenn.diagnostics import KgennError
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.samples import Samples

IMAGE, META = np.zeros((5, 4, 4), np.float32), np.ones((5, 3), np.float32)
LABELS = np.arange(5)
DICTIONARY = Naming((("layer_1", "image"),), by_name=True, outputs_by_name=True)


def read(path: Path, naming: Naming = ALL_NAMED, **arrays: np.ndarray) -> Data:
    np.savez(path / "d.npz", **arrays)
    return load_data(path / "d.npz", "test", ("image", "meta"), ("kind", "size"), naming)


def told(path: Path, naming: Naming = ALL_NAMED, **arrays: np.ndarray) -> str:
    with pytest.raises(KgennError) as caught:
        read(path, naming, **arrays)
    assert str(path / "d.npz") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"image": IMAGE}, "KG601|has 'image' and no 'meta'|image=..., meta=..."),
        ({"image": IMAGE, "x_1": META}, "KG601|no 'meta'; it has image, x_1|image=..., meta=..."),
        ({"x_1": IMAGE, "x_2": META}, "KG601|has 'x_1' and no 'x_0'"),
        (
            {"x_0": IMAGE, "x_1": META, "x_2": META},
            "KG601|has x_2 beside x_0, x_1; the model has the inputs image, meta",
        ),
        ({"x": IMAGE, "y": LABELS}, "KG601|no array image and meta, and no x_0 and x_1; it has x, y"),
        ({"image_test": IMAGE}, "KG601|has 'image_test' and no 'meta'|image_test=..., meta_test=..."),
        ({"image": IMAGE, "meta": META[:3]}, "KG601|different numbers of samples: 5 in image, 3 in meta"),
        ({"image": IMAGE, "meta": np.array(1.0)}, "KG601|a single number as meta"),
        ({"image": IMAGE, "meta": META, "y": LABELS}, "KG607|has y; the model has the outputs kind, size"),
        ({"image": IMAGE, "meta": META, "kind": LABELS, "y_1": META}, "KG607|has y_1 beside kind|name the arrays"),
        ({"image": IMAGE, "meta": META, "y_1": LABELS, "y_2": META}, "KG607|has y_2 beside y_1"),
        ({"image": IMAGE, "meta": META, "kind": LABELS[:2]}, "KG607|labels kind of shape (2,) for 5 samples"),
    ],
)
def test_arrays_that_do_not_go_together_are_named(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    error = told(tmp_path, **arrays)
    assert all(part in error for part in words.split("|")), error


def test_arrays_of_other_names_are_left_alone(tmp_path: Path) -> None:
    data = read(tmp_path, image=IMAGE, meta=META, kind=LABELS, size=META, ids=LABELS, x_0=META, y=LABELS)
    assert isinstance(data.x, Samples)
    assert isinstance(data.y, dict)
    assert np.array_equal(data.x.arrays["image"], IMAGE)
    assert list(data.y) == ["kind", "size"]


def test_numbers_say_nothing_of_a_dictionary_whose_order_keras_changes(tmp_path: Path) -> None:
    assert "no array image and meta; it has x_0, x_1" in told(tmp_path, DICTIONARY, x_0=IMAGE, x_1=META)
    both = {"image": IMAGE, "meta": META}
    assert "has y_0, y_1; the model has the outputs" in told(tmp_path, DICTIONARY, **both, y_0=LABELS, y_1=META)


def test_an_array_may_have_the_name_of_an_inputs_layer(tmp_path: Path) -> None:
    data = read(tmp_path, DICTIONARY, layer_1=IMAGE, meta=META)
    assert isinstance(data.x, Samples)
    assert np.array_equal(data.x.arrays["image"], IMAGE)


def test_the_array_of_an_input_is_no_label_of_another_output(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGE, y=META)
    assert load_data(tmp_path / "d.npz", None, ("x", "y"), ("kind",)).y is None


def test_names_that_are_no_arguments_of_python_stand_in_a_dictionary(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", z=np.zeros(3))
    with pytest.raises(KgennError, match=r"numpy.savez\(path, \*\*\{'b in': ..., 'a.in': ...\}\)"):
        load_data(tmp_path / "x.npz", inputs=("b in", "a.in"))


def test_an_array_of_an_input_is_labels_of_an_output_of_its_name_unless_there_are_others(tmp_path: Path) -> None:
    image, kind = np.zeros((4, 3)), np.arange(4)
    names = {"inputs": ("image", "meta"), "outputs": ("image", "kind")}
    np.savez(tmp_path / "x.npz", image=image, meta=image)
    shared = load_data(tmp_path / "x.npz", **names)
    assert isinstance(shared.y, dict)
    assert shared.y.keys() == {"image"}
    np.savez(tmp_path / "x.npz", image=image, meta=image, y_0=image + 1, y_1=kind)
    own = load_data(tmp_path / "x.npz", **names)
    assert isinstance(own.y, dict)
    assert np.array_equal(own.y["image"], image + 1)
    assert np.array_equal(own.y["kind"], kind)
