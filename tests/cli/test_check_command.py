"""`kgenn check`."""

from __future__ import annotations

import shlex
from pathlib import Path

import keras
import pytest

from commands import MODEL, Kgenn
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import violations
from kgenn.frontend import load

FIXTURES = Path(__file__).parents[1] / "fixtures/keras2"
EVERYTHING = [
    f"--allow={name}" for name in ("activation", "bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")
]


def test_each_layer_of_a_strict_model_gets_a_line_and_the_end_counts_neurons(kgenn: Kgenn) -> None:
    done = kgenn("check", MODEL)
    assert (done.code, done.err) == (0, "")
    for node in load(MODEL).nodes:
        assert any(line.startswith(node.origin) for line in done.out.splitlines())
    assert "3 spiking populations of 13,888 neurons" in done.out.splitlines()[-1]


def test_each_kind_of_violation_is_one_entry_that_names_its_layers(kgenn: Kgenn) -> None:
    model = FIXTURES / "without_input_layer-2.15.0.h5"
    done = kgenn("check", model)
    found = violations(load(model), CONVERTERS.get("data-norm")(), ())
    assert (done.code, done.out) == (1, "")
    assert (
        done.codes == ["KG201", "KG203", "KG204", "KG202", "KG206"] == list(dict.fromkeys(d.code for d in found))
    )
    assert all(diagnostic.where in done.err for diagnostic in found)


def test_a_violation_of_a_shared_layer_is_named_once(kgenn: Kgenn) -> None:
    done = kgenn("check", FIXTURES / "nested-2.15.0.h5")
    assert done.err.count("inner/conv2d_5") == 1


@pytest.mark.parametrize("name", ["nested-2.15.0.h5", "residual-2.15.0.keras", "without_input_layer-2.15.0.h5"])
def test_the_command_at_the_end_admits_all_that_options_admit(kgenn: Kgenn, name: str) -> None:
    done = kgenn("check", FIXTURES / name)
    (line,) = [line for line in done.err.splitlines() if "kgenn check" in line]
    again = kgenn(*shlex.split(line.partition("kgenn ")[2]))
    assert (again.code, again.err) == (0, "")
    assert again.out == kgenn("check", FIXTURES / name, "--allow", "all").out


def test_what_no_option_admits_is_found_beside_what_options_do(kgenn: Kgenn, tmp_path: Path) -> None:
    x = keras.Input((8, 8, 2))
    y = keras.layers.ReLU()(keras.layers.Conv2D(4, 3)(x))
    keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(y))).save(tmp_path / "m.h5")
    done = kgenn("check", tmp_path / "m.h5", "--converter", "threshold-relu")
    assert set(done.codes) == {"KG201", "KG210"}
    assert "1 of the problems above" in done.err


@pytest.mark.parametrize("name", ["nested-2.15.0.h5", "residual-2.2.4.h5", "residual-2.15.0.keras"])
def test_allowed_features_convert(kgenn: Kgenn, name: str) -> None:
    done = kgenn("check", FIXTURES / name, *EVERYTHING)
    assert (done.code, done.err) == (0, "")


def test_two_inputs_and_a_shared_layer_convert(kgenn: Kgenn) -> None:
    done = kgenn("check", FIXTURES / "shared-2.15.0.h5", *EVERYTHING)
    assert (done.code, done.err) == (0, "")


def test_json_of_a_strict_model_lists_what_layers_become(kgenn: Kgenn) -> None:
    report = kgenn("check", MODEL, "--json").json
    assert report["ok"] is True
    assert report["diagnostics"] == []
    assert [layer["layer"] for layer in report["layers"]][-1] == "dense2 (Dense)"


def test_json_of_violations_is_an_object_on_stdout_and_exit_code_1(kgenn: Kgenn) -> None:
    done = kgenn("check", FIXTURES / "residual-2.15.0.h5", "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert list(dict.fromkeys(d["code"] for d in done.json["diagnostics"])) == done.codes
    assert set(done.json["features"]) == {"bias", "batch-norm", "relu-cap"}


def test_lowering_options_change_what_layers_become(kgenn: Kgenn) -> None:
    folded = kgenn("check", MODEL, "--pooling", "fold", "--json").json
    own = kgenn("check", MODEL, "--pooling", "population", "--json").json
    assert "folded" in folded["layers"][2]["becomes"]
    assert "of its own" in own["layers"][2]["becomes"]


@pytest.mark.parametrize(
    ("arguments", "code", "known"),
    [
        (["--converter", "data-nrm"], "KG401", "did you mean 'data-norm'?"),
        (["--allow", "biass"], "KG401", "did you mean 'bias'?"),
        (["--residual", "straight"], "KG401", "known: direct, identity"),
    ],
)
def test_unknown_names_list_what_is_known(kgenn: Kgenn, arguments: list[str], code: str, known: str) -> None:
    done = kgenn("check", MODEL, *arguments)
    assert (done.code, done.codes) == (1, [code])
    assert known in done.err


def test_a_missing_file_is_kg101(kgenn: Kgenn, tmp_path: Path) -> None:
    done = kgenn("check", tmp_path / "none.h5", "--json")
    assert (done.code, done.codes) == (1, ["KG101"])
    assert done.json["diagnostics"][0]["code"] == "KG101"


def test_pieces_count_as_neurons(kgenn: Kgenn) -> None:
    model = FIXTURES / "without_input_layer-2.15.0.h5"
    done, finer = (kgenn("check", model, *EVERYTHING, "--pieces", pieces) for pieces in (8, 9))
    assert (done.code, done.err) == (0, "")
    assert "neurons in pieces" in done.out
    assert " 0 spiking populations" not in done.out
    assert finer.out == done.out, "a leaky ReLU has two, whatever a smooth activation has"
