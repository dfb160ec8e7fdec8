"""`kgenn check`."""

from __future__ import annotations

from pathlib import Path

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


def test_violations_come_in_layer_order_word_for_word_as_the_diagnostics_say(kgenn: Kgenn) -> None:
    model = FIXTURES / "without_input_layer-2.15.0.h5"
    done = kgenn("check", model)
    found = violations(load(model), CONVERTERS.get("data-norm")(), ())
    assert (done.code, done.out) == (1, "")
    assert done.err == "".join(f"{diagnostic}\n" for diagnostic in found)
    assert done.codes == ["KG201", "KG201", "KG203", "KG204", "KG202", "KG206", "KG201"]


def test_a_violation_of_a_shared_layer_is_printed_once(kgenn: Kgenn) -> None:
    done = kgenn("check", FIXTURES / "nested-2.15.0.h5")
    heads = [line for line in done.err.splitlines() if line.startswith("error")]
    assert len(heads) == len(set(heads)) == 8


@pytest.mark.parametrize("name", ["nested-2.15.0.h5", "residual-2.2.4.h5", "residual-2.15.0.keras"])
def test_allowed_features_convert(kgenn: Kgenn, name: str) -> None:
    done = kgenn("check", FIXTURES / name, *EVERYTHING)
    assert (done.code, done.err) == (0, "")


def test_two_inputs_are_kg209(kgenn: Kgenn) -> None:
    assert kgenn("check", FIXTURES / "shared-2.15.0.h5", *EVERYTHING).codes == ["KG209"]


def test_json_of_a_strict_model_lists_what_layers_become(kgenn: Kgenn) -> None:
    report = kgenn("check", MODEL, "--json").json
    assert report["ok"] is True
    assert report["diagnostics"] == []
    assert [layer["layer"] for layer in report["layers"]][-1] == "dense2 (Dense)"


def test_json_of_violations_is_an_object_on_stdout_and_exit_code_1(kgenn: Kgenn) -> None:
    done = kgenn("check", FIXTURES / "residual-2.15.0.h5", "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert [d["code"] for d in done.json["diagnostics"]] == done.codes


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
