"""Inputs and outputs that stand in dictionaries are named, ordered, taken and given as Keras does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kgenn
from kgenn.diagnostics import KgennError
from kgenn.export import EXPORTERS
from kgenn.ir.graph import Array, Graph
from kgenn.ir.naming import Naming

# Keras warns of keys that are not the layers' names, and of lists, and takes both
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:keras")
WIDTHS = {"image": 6, "meta": 4, "aux": 3}
# the order of the keys of inputs and of outputs, as a user writes them
ORDERS = [(("aux", "image", "meta"), ("kind", "size")), (("meta", "aux", "image"), ("size", "kind"))]


def dictionary_model(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> keras.Model:
    """Return a model whose layers have other names than its inputs and outputs."""
    given = {name: keras.Input((WIDTHS[name],), name=f"layer_{i}") for i, name in enumerate(WIDTHS)}
    parts = [keras.layers.Dense(5, activation="relu", use_bias=False)(given[name]) for name in WIDTHS]
    hidden = keras.layers.Concatenate()(parts)
    kind = keras.layers.Dense(3, activation="softmax", use_bias=False, name="first")(hidden)
    size = keras.layers.Dense(2, use_bias=False, name="second")(hidden)
    made = {"kind": kind, "size": size}
    return keras.Model({name: given[name] for name in inputs}, {name: made[name] for name in outputs})


def arrays(count: int = 40) -> dict[str, Array]:
    rng = np.random.default_rng(3)
    return {name: rng.uniform(0, 1, (count, width)).astype(np.float32) for name, width in WIDTHS.items()}


def by_layers() -> dict[str, Array]:
    return {f"layer_{i}": array for i, array in enumerate(arrays().values())}


def graphs(model: keras.Model, directory: Path) -> Mapping[str, Graph]:
    for suffix in ("keras", "h5"):
        model.save(directory / f"m.{suffix}")
    return {"live": kgenn.load(model)} | {s: kgenn.load(directory / f"m.{s}") for s in ("keras", "h5")}


@pytest.mark.parametrize(("inputs", "outputs"), ORDERS)
def test_a_model_of_dictionaries_takes_and_gives_what_keras_does(
    tmp_path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    model = dictionary_model(inputs, outputs)
    wanted = model.predict(arrays(), verbose=0)
    for kind, graph in graphs(model, tmp_path).items():
        assert [graph.input_shapes[name] for name in graph.inputs] == [t.shape[1:] for t in model.inputs], kind
        for given in (arrays(), by_layers()):
            found = graph.predict(given)
            assert isinstance(found, dict), kind
            assert found.keys() == wanted.keys()
            for name in wanted:
                assert np.abs(found[name] - wanted[name]).max() < 1e-5, (kind, name)


@pytest.mark.parametrize(("inputs", "outputs"), ORDERS)
def test_a_list_is_taken_where_keras_takes_it(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    model = dictionary_model(inputs, outputs)
    listed = [arrays()[name] for name in sorted(WIDTHS)]
    if list(inputs) == sorted(inputs):
        found = kgenn.load(model).predict(listed)
        assert isinstance(found, dict)
        assert np.abs(found["size"] - model.predict(listed, verbose=0)["size"]).max() < 1e-5
        return
    with pytest.raises(ValueError, match="structure"):
        model.predict(listed, verbose=0)
    with pytest.raises(KgennError, match=r"KG602.*a list of 3 arrays.*aux, image, meta") as caught:
        kgenn.load(model).predict(listed)
    assert "a mapping from these names" in caught.value.diagnostics[0].help


def test_a_single_input_and_output_of_a_dictionary() -> None:
    x = keras.Input((4,), name="layer")
    model = keras.Model({"signal": x}, {"size": keras.layers.Dense(2, use_bias=False)(x)})
    data = np.ones((3, 4), np.float32)
    graph = kgenn.load(model)
    assert graph.inputs == ("signal",)
    for given in (data, {"signal": data}, [data]):
        found, wanted = graph.predict(given), model.predict(given, verbose=0)
        assert isinstance(found, dict)
        assert np.abs(found["size"] - wanted["size"]).max() < 1e-6


def test_a_key_that_is_another_inputs_layer_is_the_key() -> None:
    one, two = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model(
        {"a": two, "b": one}, keras.layers.Dense(2, use_bias=False)(keras.layers.Concatenate()([one, two]))
    )
    data = {"a": np.zeros((2, 4), np.float32), "b": np.ones((2, 4), np.float32)}
    found = kgenn.load(model).predict(data)
    assert np.abs(np.asarray(found) - model.predict(data, verbose=0)).max() < 1e-6


def test_a_key_may_be_the_name_of_a_hidden_layer() -> None:
    one, two = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    hidden = keras.layers.Dense(3, activation="relu", use_bias=False, name="image")(
        keras.layers.Concatenate()([one, two])
    )
    model = keras.Model({"image": one, "meta": two}, keras.layers.Dense(2, use_bias=False)(hidden))
    data = {"image": np.ones((2, 4), np.float32), "meta": np.zeros((2, 4), np.float32)}
    found = kgenn.load(model).predict(data)
    assert np.abs(np.asarray(found) - model.predict(data, verbose=0)).max() < 1e-6


def test_a_name_given_twice_is_refused() -> None:
    graph = kgenn.load(dictionary_model(*ORDERS[0]))
    with pytest.raises(KgennError, match=r"KG602.*layer_0 is not an input"):
        graph.predict({**arrays(), "layer_0": arrays()["image"]})


@pytest.fixture(scope="module")
def network() -> kgenn.Network:
    model = dictionary_model(*ORDERS[1])
    encoder: Any = {"image": "poisson", "layer_1": kgenn.Poisson()}
    return kgenn.convert(model, calibration=by_layers(), encoder=encoder, timesteps=16, check=False)


def test_a_network_has_the_keys_too(network: kgenn.Network, tmp_path: Path) -> None:
    assert {i.name: i.coding.encoder for i in network.inputs} == {
        "aux": "direct",
        "image": "poisson",
        "meta": "poisson",
    }
    kgenn.compile(network, target="reference").save(tmp_path / "out")
    opened = kgenn.open_directory(tmp_path / "out")
    labels = {"kind": np.zeros(40, int), "size": np.zeros((40, 2))}
    one, two = opened.evaluate(arrays(), labels), opened.evaluate(by_layers(), labels)
    assert np.array_equal(one.scores, two.scores)
    assert list(one.outputs) == ["kind", "size"]
    predicted = opened.predict(arrays())
    assert isinstance(predicted, dict)
    assert np.array_equal(predicted["kind"], one.scores)
    with pytest.raises(KgennError, match=r"KG602.*a list of 3 arrays"):
        opened.evaluate(list(arrays().values()))
    with pytest.raises(KgennError, match=r"KG607.*are a list") as caught:
        opened.evaluate(arrays(), [labels["kind"], labels["size"]])
    assert caught.value.diagnostics[0].help == "give labels for each: by these names"


def test_what_is_recorded_of_names_is_read_again(network: kgenn.Network) -> None:
    recorded = Naming.recorded(network.origin)
    assert recorded == Naming((("layer_2", "aux"), ("layer_0", "image"), ("layer_1", "meta")), True, True, True)
    assert Naming.recorded({}).record() == {}
    with pytest.raises(ValueError, match="naming"):
        Naming.recorded({"naming": {"layers": {"a": 1}}})


# structures of the tensors a, b and c that Keras takes as inputs, and whether a list of three arrays is clear
NESTED: dict[str, tuple[Any, bool]] = {
    "dictionaries": (lambda a, b, c: {"p": {"q": a, "r": b}, "s": c}, True),
    "dictionaries in another order": (lambda a, b, c: {"z": {"r": a, "q": b}, "s": c}, False),
    "a list in a dictionary": (lambda a, b, c: {"p": [a, b], "s": c}, True),
    "a dictionary in a list": (lambda a, b, c: [{"q": a, "r": b}, c], True),
    "a dictionary of one in a dictionary": (lambda a, b, c: {"p": {"q": a}, "r": b, "s": c}, True),
}


@pytest.mark.parametrize("kind", NESTED)
def test_nested_inputs_go_by_the_names_of_layers(kind: str, tmp_path: Path) -> None:
    structure, in_order = NESTED[kind]
    inputs = {name: keras.Input((3,), name=f"in_{name}") for name in "abc"}
    parts = [keras.layers.Dense(4, "relu", use_bias=False)(x) for x in inputs.values()]
    model = keras.Model(structure(*inputs.values()), keras.layers.Dense(2)(keras.layers.Concatenate()(parts)))
    rng = np.random.default_rng(1)
    data = {f"in_{name}": rng.random((5, 3), np.float32) for name in "abc"}
    wanted, graph = model.predict(structure(*data.values()), verbose=0), kgenn.load(model)
    for form, read in graphs(model, tmp_path).items():
        assert (read.inputs, read.naming) == (graph.inputs, graph.naming), form
        assert np.abs(np.asarray(read.predict(data)) - wanted).max() < 1e-6, form
    if in_order:
        assert np.abs(np.asarray(graph.predict([*data.values()])) - wanted).max() < 1e-6
    else:
        with pytest.raises(KgennError, match=r"KG602.*a list of 3 arrays"):
            graph.predict([*data.values()])
    with pytest.raises(KgennError, match=r"(?s)KG602.*flatten them: give one mapping from the inputs in_"):
        graph.predict(structure(*data.values()) if "one" not in kind else {"p": {"q": data["in_a"]}})


def test_nested_outputs_go_by_the_names_of_layers() -> None:
    x = keras.Input((3,))
    one, two = (keras.layers.Dense(n, use_bias=False, name=f"out_{n}")(x) for n in (2, 4))
    model = keras.Model(x, {"u": {"v": one, "z": two}, "w": two})
    graph = kgenn.load(model)
    assert [output.name for output in graph.outputs] == ["out_2", "out_4", "out_4_1"]
    found, wanted = graph.predict(np.ones((2, 3))), model.predict(np.ones((2, 3)), verbose=0)
    assert isinstance(found, tuple)
    pairs = zip(found, (wanted["u"]["v"], wanted["u"]["z"], wanted["w"]), strict=True)
    assert all(np.abs(ours - theirs).max() < 1e-6 for ours, theirs in pairs)


@pytest.mark.parametrize("to", ["cpp", "c"])
def test_c_headers_list_the_keys_in_their_order(network: kgenn.Network, to: str) -> None:
    header = EXPORTERS.get(to)().emit(network, "keyed").files["keyed_network.h"].decode()
    inputs = re.findall(r"/\* values (\d+) \.\. (\d+)(?: of a sample)?: (\w+) (\d+), encoder", header)
    assert inputs == [("0", "2", "aux", "3"), ("3", "8", "image", "6"), ("9", "12", "meta", "4")]
    outputs = re.findall(r"/\* output (\d), (?:values|scores) (\d+) \.\. (\d+): (\w+) (\d+)", header)
    assert outputs == [("0", "0", "2", "kind", "3"), ("1", "3", "4", "size", "2")]
    assert "layer_" not in header


@pytest.mark.slow
def test_what_a_program_of_c_takes_stands_in_the_order_of_the_keys(network: kgenn.Network) -> None:
    one, two = (kgenn.compile(network, target).predict(arrays()) for target in ("cpu", "reference"))
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    assert all(np.array_equal(one[name], two[name]) for name in ("kind", "size"))
