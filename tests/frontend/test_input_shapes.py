"""A size of the input that a model leaves open is given by the user, or by the samples, and by nobody else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import kgenn
from kgenn.diagnostics import KgennError
from kgenn.frontend import load, read
from kgenn.frontend.input_shape import InputShape, SampleShapes
from kgenn.ir.graph import Input
from model_files import INPUT, edit, functional, layer, write

L = keras.layers


def images(size=None):
    """Return a model of images of any size, or of this one."""
    keras.utils.set_random_seed(1)
    x = keras.Input((size, size, 3), name="pixels")
    y = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(x, L.Dense(5)(L.GlobalAveragePooling2D()(y)))


def around(inner):
    """Return a model of images of any size that calls another one."""
    x = keras.Input((None, None, 3), name="pixels")
    return keras.Model(x, L.Dense(2)(inner(L.Conv2D(3, 3, activation="relu")(x))))


def error_of(act, *words):
    """Return the only diagnostic of an act, which names these words."""
    with pytest.raises(KgennError) as caught:
        act()
    (found,) = caught.value.diagnostics
    for word in words:
        assert word in f"{found.where}: {found.what} {found.help}"
    return found


@pytest.mark.parametrize("suffix", ["h5", "keras", "json", "live"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 6, 3)])
def test_a_model_of_any_size_computes_what_keras_does_for_the_size_given(suffix, shape, tmp_path):
    model = images()
    source = tmp_path / f"m.{suffix}"
    if suffix == "json":
        source.write_text(model.to_json())
        model.save_weights(tmp_path / "m.weights.h5")
    elif suffix == "live":
        source = model
    else:
        model.save(source)
    graph = load(source, input_shape=shape)
    x = np.random.default_rng(0).random((4, *shape), np.float32)
    assert graph.input_shape == shape
    np.testing.assert_allclose(graph.predict(x), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_a_model_within_takes_its_size_from_its_call(tmp_path):
    model = around(images())
    model.save(tmp_path / "m.keras")
    graph = load(tmp_path / "m.keras", input_shape=(10, 12, 3))
    x = np.random.default_rng(0).random((3, 10, 12, 3), np.float32)
    np.testing.assert_allclose(graph.predict(x), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    assert [node.name for node in graph.nodes if isinstance(node.layer, Input)] == ["pixels"]


def test_a_sequential_model_that_begins_with_a_model_of_any_size(tmp_path):
    model = keras.Sequential([images(), L.Dense(2)])
    model.save(tmp_path / "m.h5")
    assert load(tmp_path / "m.h5", input_shape=(6, 6, 3)).input_shape == (6, 6, 3)


def test_a_sequential_model_was_built_on_a_size_that_its_first_layer_leaves_open(tmp_path):
    first = layer("Sequential", "s", layers=[layer("ReLU", "r", batch_input_shape=[None, None, 4])])
    path = write(tmp_path / "m.h5", first, layer("ReLU", "y"), build_input_shape=[None, 7, 4])
    assert load(path).input_shape == (7, 4)


def test_a_sequential_model_that_was_never_built_has_the_shape_given(tmp_path):
    path = write(tmp_path / "m.h5", layer("ReLU", "y"))
    assert load(path, input_shape=(7, 4)).input_shape == (7, 4)


@pytest.mark.parametrize("given", [(4, 8, 8, 3), (8, 8), (8, 8, 1), (8,)])
def test_a_shape_that_contradicts_the_known_sizes_is_refused(given):
    model = images()
    found = error_of(lambda: load(model, input_shape=given), "pixels (InputLayer)", "(None, None, 3)", str(given))
    assert found.code == "KG112"
    assert "every axis but the batch" in found.help


def test_a_model_that_knows_its_size_takes_no_other():
    model = images(8)
    assert load(model, input_shape=(8, 8, 3)).input_shape == (8, 8, 3)
    assert not load(model, input_shape=(8, 8, 3)).notes
    found = error_of(lambda: load(model, input_shape=(9, 9, 3)), "(8, 8, 3)", "(9, 9, 3)", "leave it out")
    assert found.code == "KG112"


def test_a_graph_takes_no_other_shape_than_its_own():
    graph = load(images(8))
    assert kgenn.check(graph, allow="all", input_shape=(8, 8, 3)) == []
    assert error_of(lambda: kgenn.check(graph, input_shape=(9, 9, 3)), "(9, 9, 3)").code == "KG112"


def test_inputs_of_open_size_are_given_by_their_names(tmp_path):
    other = layer("InputLayer", "z", [], batch_shape=[None, None])
    y = layer("Add", "y", [[["x", 0, 0, {}], ["z", 0, 0, {}]]])
    path = functional(tmp_path / "m.h5", other, y)

    def two_inputs(config, layers):
        config["config"]["input_layers"] = [["x", 0, 0], ["z", 0, 0]]

    edit(path, two_inputs)
    graph = load(path, input_shape={"z": (4,)})
    assert graph.input_shapes == {"x": (4,), "z": (4,)}
    assert [note.partition(":")[0] for note in graph.notes] == ["z"]
    assert error_of(lambda: load(path, input_shape=(4,)), "inputs x, z", "x=4").code == "KG112"
    assert error_of(lambda: load(path, input_shape={"w": (4,)}), "'w'").code == "KG112"
    assert error_of(lambda: load(path), "z (InputLayer)").code == "KG109"
    samples = SampleShapes("x.npz", lambda names, naming: dict.fromkeys(names, (4,)))
    assert read(path, InputShape(samples=samples)).input_shapes == {"x": (4,), "z": (4,)}


@pytest.mark.parametrize("given", ["8,8,3", (), (8, 0, 3), (8, -1, 3), (None, 8, 8, 3), (8.0, 8, 3), 8, [1] * 9])
def test_what_is_no_shape_is_refused(given):
    assert error_of(lambda: load(images(), input_shape=given), "64,64,3", "(64, 64, 3)").code == "KG401"


def test_an_open_size_names_the_option_the_argument_and_the_key():
    found = error_of(lambda: load(images()), "pixels (InputLayer)", "[None, None, None, 3]")
    assert found.code == "KG109"
    for word in ("--input-shape 100,100,3", "input-shape = [100, 100, 3]"):
        assert word in found.for_terminal()
    assert "input_shape=(100, 100, 3)" in str(found)
    assert load(images(), input_shape=(100, 100, 3)).input_shape == (100, 100, 3)


@pytest.mark.parametrize("shape", [[None, "many", 3], [None, -1, 3], [None, 0], "any", [None, *[None] * 9]])
def test_a_shape_that_is_none_is_mended_by_no_option(shape, tmp_path):
    path = write(tmp_path / "m.h5", layer("InputLayer", "x", batch_shape=shape), layer("ReLU", "y"))
    for given in (None, (8, 3)):
        found = error_of(lambda given=given: load(path, input_shape=given), "x (InputLayer)")
        assert (found.code, found.help) == ("KG109", "save the model again")


@pytest.mark.parametrize(
    ("after", "fits", "given", "code"),
    [
        (layer("Cropping1D", "y", cropping=[5, 5]), (12, 4), (8, 4), "KG108"),
        (layer("Reshape", "y", target_shape=[2, 6]), (3, 4), (8, 4), "KG108"),
        (layer("ReLU", "y"), (3, 4), (1 << 30, 4), "KG110"),
    ],
)
def test_layers_that_do_not_fit_the_shape_given_name_it(after, fits, given, code, tmp_path):
    path = write(tmp_path / "m.h5", layer("InputLayer", "x", batch_shape=[None, None, 4]), after)
    assert load(path, input_shape=fits).input_shape == fits
    found = error_of(lambda: load(path, input_shape=given), "another input shape", "as given")
    assert found.code == code


def test_a_model_of_its_own_size_is_not_blamed_on_an_input_shape(tmp_path):
    path = write(tmp_path / "m.h5", INPUT, layer("Reshape", "y", target_shape=[3, 3]))
    assert "input shape" not in error_of(lambda: load(path, input_shape=(4,)), "y (Reshape)").help


# samples


@pytest.mark.parametrize(
    ("axes", "samples", "taken"),
    [
        ([None, None, 3], (8, 9, 3), (8, 9, 3)),
        ([None, None, 1], (8, 9), (8, 9, 1)),
        ([1, None, None], (8, 9), (1, 8, 9)),
        ([None, None, 1], (8, 9, 1), (8, 9, 1)),
        ([None], (5,), (5,)),
    ],
)
def test_samples_decide_the_open_sizes(axes, samples, taken, tmp_path):
    path = write(tmp_path / "m.h5", layer("InputLayer", "x", batch_shape=[None, *axes]), layer("ReLU", "y"))
    graph = read(
        path, InputShape(samples=SampleShapes("x.npz", lambda names, naming: dict.fromkeys(names, samples)))
    )
    assert graph.input_shape == taken
    (note,) = graph.notes
    assert "as in x.npz" in note


@pytest.mark.parametrize("samples", [(8, 9, 1), (8, 9), (8, 9, 3, 1), (0, 9, 3), ()])
def test_samples_of_another_shape_are_refused(samples, tmp_path):
    path = write(
        tmp_path / "m.h5", layer("InputLayer", "x", batch_shape=[None, None, None, 3]), layer("ReLU", "y")
    )
    shape = InputShape(samples=SampleShapes("x.npz", lambda names, naming: dict.fromkeys(names, samples)))
    assert error_of(lambda: read(path, shape), "x.npz", str(samples), "(None, None, 3)").code == "KG602"


def test_samples_are_not_looked_at_where_nothing_is_open(tmp_path):
    def untouched(names, naming):
        raise AssertionError

    path = write(tmp_path / "m.h5", INPUT, layer("ReLU", "y"))
    assert read(path, InputShape(samples=SampleShapes("x.npz", untouched))).input_shape == (4,)
    path = write(tmp_path / "n.h5", layer("InputLayer", "x", batch_shape=[None, None]), layer("ReLU", "y"))
    assert read(path, InputShape.of((4,), SampleShapes("x.npz", untouched))).input_shape == (4,)


def test_a_conversion_takes_the_size_of_its_calibration_data():
    x = np.random.default_rng(0).random((40, 8, 8, 3), np.float32)
    network = kgenn.convert(images(), calibration=x, timesteps=8, allow="all")
    assert network.input_shape == (8, 8, 3)
    assert network.origin["input_shapes"] == {"pixels": [8, 8, 3]}
    assert any("as in calibration data" in note for note in network.origin["notes"])


def test_a_conversion_with_a_shape_given_takes_no_other_data():
    x = np.random.default_rng(0).random((40, 8, 8, 3), np.float32)
    found = error_of(lambda: kgenn.convert(images(), calibration=x, allow="all", input_shape=(9, 9, 3)), "9, 9, 3")
    assert found.code == "KG402"
