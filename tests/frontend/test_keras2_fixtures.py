"""Files in the layouts that Keras 2.0 to 2.2 and TensorFlow 2.15 wrote give the predictions that they gave."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import kgenn.frontend
from kgenn.layers.affine import BatchNorm

pytestmark = pytest.mark.quick

FOLDER = Path(__file__).parents[1] / "fixtures" / "keras2"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".h5", ".keras"))


@pytest.mark.parametrize("name", FILES)
def test_forward_equals_the_stored_predictions(name):
    graph = kgenn.frontend.load(FOLDER / name)
    with np.load((FOLDER / name).with_suffix(".npz")) as data:
        inputs = [data[f"x{i}"] for i in range(len(graph.inputs))]
        expected = data["y"]
    found = graph.predict(dict(zip(graph.inputs, inputs, strict=True)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_fixtures_cover_all_versions_and_both_formats():
    assert {f"nested_sequential-{version}.h5" for version in ("2.0.9", "2.2.2")} <= set(FILES)
    assert "local-2.2.2.h5" in FILES
    assert len([name for name in FILES if name.endswith("-2.2.4.h5")]) == 6
    assert len([name for name in FILES if name.endswith("-2.15.0.h5")]) == 6
    assert len([name for name in FILES if name.endswith("-2.15.0.keras")]) == 3


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("nested-")])
def test_variances_of_nested_models_are_not_mistaken_for_scales(name):
    graph = kgenn.frontend.load(FOLDER / name)
    norms = [node.layer for node in graph.nodes if isinstance(node.layer, BatchNorm)]
    assert len(norms) == 5
    # the fixtures' variances lie in 0.3 … 0.9, all other arrays in −0.3 … 0.3
    assert all(norm.variance.min() >= 0.3 and np.abs(norm.mean).max() <= 0.3 for norm in norms)


def test_the_older_container_name_is_read_too(tmp_path):
    assert_equal_kernels(rewritten(tmp_path, lambda key: key.replace("layers", "_layer_checkpoint_dependencies")))


def test_keys_with_backslashes_as_keras_on_windows_wrote_them_are_read_too(tmp_path):
    # only the last group, `vars`, and the arrays in it are groups of their own
    def rename(key):
        head, last = key.split("/vars/")
        return head.replace("/", "\\") + "/vars/" + last

    assert_equal_kernels(rewritten(tmp_path, rename))


def rewritten(folder, rename):
    """Return a copy of an archive of nested models with the keys of its arrays renamed."""
    path = folder / "renamed.keras"
    with zipfile.ZipFile(FOLDER / "nested-2.15.0.keras") as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", old.read("config.json"))
        arrays = {}
        with h5py.File(io.BytesIO(old.read("model.weights.h5")), "r") as file:
            file.visititems(lambda key, item: arrays.update({key: item[()]} if hasattr(item, "shape") else {}))
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            for key, array in arrays.items():
                if "layers/" in key:
                    file[rename(key)] = array
        new.writestr("model.weights.h5", buffer.getvalue())
    return path


def assert_equal_kernels(path):
    """Assert that an archive holds the kernels of the original."""
    found, expected = kgenn.frontend.load(path), kgenn.frontend.load(FOLDER / "nested-2.15.0.keras")
    for ours, theirs in zip(found.nodes, expected.nodes, strict=True):
        if hasattr(theirs.layer, "kernel"):
            np.testing.assert_array_equal(ours.layer.kernel, theirs.layer.kernel)


@pytest.mark.parametrize("name", ["nested-2.2.4.h5", "nested-2.15.0.keras"])
def test_reading_imports_no_keras(name):
    code = "import sys, kgenn.frontend; kgenn.frontend.load(sys.argv[1]); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, str(FOLDER / name)],
        cwd=FOLDER.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"keras", "tf_keras", "tensorflow"} & set(run.stdout.split())
