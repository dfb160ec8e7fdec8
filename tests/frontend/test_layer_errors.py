"""A layer or a connection that kgenn does not follow is a diagnostic that names it and the remedy."""

from __future__ import annotations

import json
from itertools import pairwise

import h5py
import numpy as np
import pytest

from kgenn.frontend import load
from kgenn.ir.graph import Input
from kgenn.layers.activation import Identity
from kgenn.layers.training import AUGMENTATIONS, REGULARISERS
from model_files import INPUT, edit, errors_of, functional, layer, only_error, write

# layers


def test_unknown_layers_are_reported_together_in_layer_order(h5):
    def change(config, layers):
        layers["dense_2"]["class_name"] = "MyDense"
        layers["conv2d_3"]["class_name"] = "Conv2DX"

    first, second = errors_of(edit(h5, change))
    assert (first.code, second.code) == ("KG105", "KG105")
    assert "residual.h5: conv2d_3 (Conv2DX)" in first.where
    assert "did you mean 'Conv2D'" in first.help
    assert "dense_2 (MyDense)" in second.where


def test_a_custom_class_of_no_package_is_refused_with_what_helps(tmp_path):
    path = write(tmp_path / "m.h5", INPUT, layer("ConvDNA", "y", filters=3, kernel_size=2))
    error = only_error(path, "KG105", "y (ConvDNA)")
    for word in ("set_weights", "entry point 'ConvDNA'"):
        assert word in error.help


def test_of_many_known_names_a_message_has_the_nearest_and_the_command_that_lists_them(tmp_path):
    path = write(tmp_path / "m.h5", INPUT, layer("MaxPool2", "y"))
    error = only_error(path, "KG105", "y (MaxPool2)")
    assert "did you mean 'MaxPool2D'? known: MaxPool2D, " in error.help
    assert ", MaxPooling2D, " in error.help
    assert error.help.endswith(" more, which kgenn list layers lists")
    operation = {**layer("Adds", "y", [[["x", 0, 0, {}]]]), "module": "keras.src.ops.numpy"}
    help = only_error(functional(tmp_path / "o.h5", operation), "KG105", "operation").help
    assert help.endswith(" more, which kgenn list operations lists")
    assert max(map(len, (error.help, help))) < 500


@pytest.mark.parametrize("code", ["<lambda>", {"class_name": "__lambda__", "config": {}}, {"value": ["4wEA"]}])
def test_a_lambda_as_an_activation_is_refused_with_what_replaces_it(code, tmp_path):
    path = write(tmp_path / "m.h5", INPUT, layer("Dense", "y", units=2, activation=code))
    error = only_error(path, "KG107", "y (Dense)", "lambda")
    assert "ReLU" in error.help
    assert "4wEA" not in error.what


def test_layers_of_a_class_that_is_unknown_are_one_diagnostic(tmp_path):
    chain = ["x", *(f"odd_{i}" for i in range(9))]
    odd = [layer("Odd", name, [[[before, 0, 0, {}]]]) for before, name in pairwise(chain)]
    y = layer("Other", "y", [[["odd_8", 0, 0, {}]]])
    first, second = errors_of(functional(tmp_path / "m.h5", *odd, y))
    assert first.where.endswith("m.h5: odd_0, odd_1, odd_2, odd_3, odd_4, odd_5 and 3 more (Odd)")
    assert second.where.endswith("m.h5: y (Other)")


@pytest.mark.parametrize("class_name", ["LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM2D", "RNN"])
def test_a_recurrent_layer_is_refused_with_what_to_use(class_name, tmp_path):
    path = functional(tmp_path / "m.h5", layer(class_name, "y", [[["x", 0, 0, {}]]], units=3))
    assert "Conv1D" in only_error(path, "KG111", f"y ({class_name})", "recurrent", "feed-forward").help


@pytest.mark.parametrize("class_name", ["Embedding", "TextVectorization"])
def test_a_layer_that_looks_values_up_is_refused(class_name, tmp_path):
    path = functional(tmp_path / "m.h5", layer(class_name, "y", [[["x", 0, 0, {}]]], input_dim=3))
    only_error(path, "KG111", f"y ({class_name})", "table")


def test_a_lookup_that_stores_what_operations_store_is_refused_as_a_layer(tmp_path):
    entry = layer("Discretization", "y", [[["x", 0, 0, {}]]], bin_boundaries=[0.0], dtype="float32")
    del entry["config"]["trainable"]
    only_error(functional(tmp_path / "m.h5", entry), "KG111", "y (Discretization)", "table")


@pytest.mark.parametrize("class_name", [*AUGMENTATIONS, *REGULARISERS, "Identity"])
def test_layers_that_act_in_training_only_are_read_as_nothing(class_name, tmp_path):
    graph = load(functional(tmp_path / "m.h5", layer(class_name, "y", [[["x", 0, 0, {"training": False}]]])))
    assert [type(node.layer) for node in graph.nodes] == [Input, Identity]
    assert not graph.notes


def test_an_augmentation_that_keras_2_calls_as_in_training_is_noted(tmp_path):
    y = layer("RandomFlip", "y", [[["x", 0, 0, {"training": True}]]], mode="horizontal")
    (note,) = load(functional(tmp_path / "m.h5", y)).notes
    assert note.startswith("y: called with training=True")


def test_masking_is_read_as_nothing_with_a_note(tmp_path):
    (note,) = load(
        functional(tmp_path / "m.h5", layer("Masking", "y", [[["x", 0, 0, {}]]], mask_value=-1.0))
    ).notes
    assert "in which no step is -1" in note


@pytest.mark.parametrize(
    ("class_name", "word"),
    [
        ("MelSpectrogram", "spectra"),
        ("AutoContrast", "at inference too"),
        ("MaxNumBoundingBoxes", "bounding boxes"),
        ("TFSMLayer", "another framework"),
        ("Wrapper", "base class"),
    ],
)
def test_a_layer_that_kgenn_knows_and_does_not_read_says_why(class_name, word, tmp_path):
    only_error(functional(tmp_path / "m.h5", layer(class_name, "y", [[["x", 0, 0, {}]]])), "KG105", word)


def test_a_lambda_is_refused(tmp_path):
    path = functional(tmp_path / "m.h5", layer("Lambda", "y", [[["x", 0, 0, {}]]], function=["code"]))
    only_error(path, "KG105", "m.h5", "y (Lambda)")


@pytest.mark.parametrize(
    "extra",
    [
        {"class_name": "Mine>ReLU"},
        {"registered_name": "Mine>ReLU", "module": None},
        {"registered_name": "ReLU", "module": "__main__"},
    ],
)
def test_a_custom_class_with_a_known_name_is_refused(extra, tmp_path):
    path = functional(tmp_path / "m.h5", {**layer("ReLU", "y", [[["x", 0, 0, {}]]]), **extra})
    only_error(path, "KG105", "y (ReLU)", "custom class")


@pytest.mark.parametrize(
    ("entry", "near"),
    [
        (layer("TFOpLambda", "y", [["x", 0, 0, {}]], function="math.reduce_men"), "'tf.math.reduce_mean'"),
        (
            {"class_name": "Adds", "config": {"name": "y"}, "name": "y", "inbound_nodes": [[["x", 0, 0, {}]]]},
            "'Add'",
        ),
        ({**layer("Adds", "y", [[["x", 0, 0, {}]]]), "module": "keras.src.ops.numpy"}, "'Add'"),
    ],
)
def test_an_unknown_operation_is_refused_with_what_is_known(entry, near, tmp_path):
    error = only_error(functional(tmp_path / "m.h5", entry), "KG105", "y (", "operation")
    assert "keras.layers" in error.help
    assert f"did you mean {near}" in error.help


def test_a_subclassed_model(tmp_path):
    only_error(write(tmp_path / "m.h5", class_name="MyModel"), "KG105", "m.h5", "MyModel")


OWN_RELU = {"class_name": "function", "config": "relu", "registered_name": "mine>relu"}
BAD_OPTIONS = [
    ("Dense", {"units": 0}),
    ("Dense", {}),
    ("Dense", {"units": 2, "activation": "gelu_tanh"}),
    ("Dense", {"units": 2, "activation": OWN_RELU}),
    ("Dense", {"units": 2, "use_bias": "yes"}),
    ("ReLU", {"max_value": "six"}),
    ("ReLU", {"negative_slope": float("nan")}),
    ("Reshape", {"target_shape": [-1, -1]}),
    ("Permute", {"dims": [2]}),
    ("Softmax", {"axis": [1, 2]}),
    ("BatchNormalization", {"axis": 0}),
    ("BatchNormalization", {"renorm": True}),
    ("Rescaling", {"scale": "all"}),
    ("Concatenate", {"axis": 3}),
]


@pytest.mark.parametrize(("class_name", "options"), BAD_OPTIONS)
def test_an_option_that_kgenn_does_not_know(class_name, options, tmp_path):
    path = functional(tmp_path / "m.h5", layer(class_name, "y", [[["x", 0, 0, {}]]], **options))
    only_error(path, "KG107", "m.h5", f"y ({class_name})", "allowed")


@pytest.mark.parametrize(
    ("class_name", "options"),
    [
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "causal"}),
        ("Conv2D", {"filters": 3, "kernel_size": [3, 3, 3]}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "groups": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "data_format": "channels_middle"}),
        ("AveragePooling2D", {"pool_size": 2, "padding": "reflect"}),
        ("ZeroPadding2D", {"padding": [[1, 2], [3]]}),
    ],
)
def test_an_option_of_an_image_layer_that_kgenn_does_not_know(class_name, options, tmp_path):
    image = layer("InputLayer", "x", batch_shape=[None, 6, 6, 4])
    path = write(tmp_path / "m.h5", image, layer(class_name, "y", **options))
    only_error(path, "KG107", f"y ({class_name})", "allowed")


# topology


@pytest.mark.parametrize("shape", [[None, None, 4], None])
def test_an_unknown_dimension(shape, tmp_path):
    path = write(tmp_path / "m.h5", layer("InputLayer", "x", batch_input_shape=shape), layer("ReLU", "y"))
    only_error(path, "KG109", "m.h5", "x (InputLayer)")


def test_a_sequential_model_that_was_never_built(tmp_path):
    only_error(write(tmp_path / "m.h5", layer("Dense", "y", units=2)), "KG109", "y_input (InputLayer)")


def test_a_circle_of_layers(tmp_path):
    a = layer("ReLU", "a", [[["y", 0, 0, {}]]])
    path = functional(tmp_path / "m.h5", a, layer("Add", "y", [[["a", 0, 0, {}], ["x", 0, 0, {}]]]))
    only_error(path, "KG108", "m.h5", "a, y")


@pytest.mark.parametrize("ref", [["z", 0, 0, {}], ["x", 1, 0, {}], ["x", 0, 1, {}]])
def test_a_reference_to_nothing(ref, tmp_path):
    only_error(functional(tmp_path / "m.h5", layer("ReLU", "y", [[ref]])), "KG108", "m.h5", repr(ref[0]))


def test_two_layers_of_one_name(tmp_path):
    y = layer("ReLU", "y", [[["x", 0, 0, {}]]])
    only_error(functional(tmp_path / "m.h5", y, y), "KG108", "m.h5", "'y'")


def test_a_layer_that_is_never_called(tmp_path):
    y = layer("ReLU", "y", [[["x", 0, 0, {}]]])
    only_error(functional(tmp_path / "m.h5", y, layer("ReLU", "z", [])), "KG108", "m.h5", "z")


def test_malformed_inbound_nodes(tmp_path):
    only_error(functional(tmp_path / "m.h5", layer("ReLU", "y", "x")), "KG108", "y (ReLU)")


def test_a_model_without_outputs(tmp_path):
    path = functional(tmp_path / "m.h5", layer("ReLU", "y", [[["x", 0, 0, {}]]]), outputs=())
    only_error(path, "KG108", "m.h5", "output_layers")


@pytest.mark.parametrize("class_name", ["Dropout", "BatchNormalization", "StochasticDepth"])
def test_a_layer_of_keras_2_called_as_in_training(class_name, tmp_path):
    y = layer(class_name, "y", [[["x", 0, 0, {"training": True}]]], rate=0.5)
    only_error(functional(tmp_path / "m.h5", y), "KG108", f"y ({class_name})", "training=True")


def test_a_layer_called_with_a_constant(tmp_path):
    call = {"args": [["x", 0, 0], 2.0], "kwargs": {}}
    only_error(functional(tmp_path / "m.h5", layer("Add", "y", [call])), "KG108", "y (Add)", "2.0")


def test_shapes_that_do_not_fit(tmp_path):
    z = layer("Reshape", "z", [[["x", 0, 0, {}]]], target_shape=[2, 2])
    path = functional(tmp_path / "m.h5", z, layer("Add", "y", [[["x", 0, 0, {}], ["z", 0, 0, {}]]]))
    only_error(path, "KG108", "m.h5", "y (Add)", "(2, 2)", "broadcast")


def test_a_reshape_of_another_number_of_values(tmp_path):
    y = layer("Reshape", "y", [[["x", 0, 0, {}]]], target_shape=[-1, 3])
    only_error(functional(tmp_path / "m.h5", y), "KG108", "m.h5", "y (Reshape)", "(4,) cannot become (-1, 3)")


@pytest.mark.parametrize(("class_name", "options"), [("Subtract", {}), ("Dot", {"axes": 1})])
def test_a_layer_of_two_inputs_that_is_called_on_three(class_name, options, tmp_path):
    y = layer(class_name, "y", [[["x", 0, 0, {}]] * 3], **options)
    only_error(functional(tmp_path / "m.h5", y), "KG108", f"y ({class_name})", "takes two inputs", "3")


def test_layers_in_any_order_in_the_file(tmp_path):
    y = layer("ReLU", "y", [[["a", 0, 0, {}]]])
    graph = load(functional(tmp_path / "m.h5", y, layer("ReLU", "a", [[["x", 0, 0, {}]]])))
    assert [node.name for node in graph.nodes] == ["x", "a", "y"]


def test_attributes_that_keras_split_into_chunks(h5):
    expected = load(h5).predict(np.ones((1, 8, 7, 3)))
    with h5py.File(h5, "r+") as file:
        group = file["model_weights/conv2d_3"]
        for i, name in enumerate(group.attrs["weight_names"]):
            group.attrs[f"weight_names{i}"] = [name]
        del group.attrs["weight_names"]
    np.testing.assert_array_equal(load(h5).predict(np.ones((1, 8, 7, 3))), expected)


def test_a_bare_list_as_the_config_of_a_sequential_model(tmp_path):
    entries = [layer("ReLU", "y", batch_input_shape=[None, 4])]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": entries})
    assert [node.name for node in load(tmp_path / "m.h5").nodes] == ["y_input", "y"]
