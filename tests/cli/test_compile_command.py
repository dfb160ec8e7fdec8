"""`kgenn compile`."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from commands import CALIBRATION, IMAGES, MODEL, Kgenn, compile_arguments
from covering import leading
from kgenn.api import as_graph
from kgenn.artifact.directory import read_directory
from kgenn.artifact.self_test import SELF_TEST, read_self_test
from kgenn.backends import TARGETS, cpp_layout
from kgenn.config import classes_of, flags_of, options_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES
from kgenn.encoders import ENCODERS
from kgenn.ir.network import DEFAULT_READOUT
from kgenn.passes import LoweringOptions
from kgenn.timestep_search import TimestepSearch


def emitted(directory: Path) -> dict[str, bytes]:
    """Return the files that were written before the build."""
    artifact = read_directory(directory)
    test = read_self_test(directory / SELF_TEST, artifact.network)
    return artifact.files(TARGETS.get(artifact.target)().emit(artifact.network), test)


def test_equal_inputs_give_equal_bytes_and_the_directory_is_what_was_emitted(
    kgenn: Kgenn, tmp_path: Path, compiled: Path
) -> None:
    assert kgenn(*compile_arguments(tmp_path / "again")).code == 0
    files = emitted(compiled)
    assert files == emitted(tmp_path / "again")
    for name, content in files.items():
        assert (compiled / name).read_bytes() == content, name
        assert (tmp_path / "again" / name).read_bytes() == content, name


def test_the_manifest_records_every_option_and_the_files(compiled: Path) -> None:
    record = json.loads((compiled / "manifest.json").read_text())
    assert record["model"] == {"file": MODEL.name, "sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest()}
    assert record["calibration"] == {
        "file": CALIBRATION.name,
        "sha256": hashlib.sha256(CALIBRATION.read_bytes()).hexdigest(),
        "split": "train",
        "samples": 64,
    }
    assert record["converter"]["name"] == "data-norm"
    assert set(record["converter"]["options"]) == {o.name for o in options_of(CONVERTERS.get("data-norm"))}
    assert record["encoder"] == {"name": "direct", "options": {}}
    lowering = {"residual": "direct", "pooling": "auto", "pieces": None}
    assert record["lowering"] == lowering | {"weight_bits": None, "weight_grid": "layer"}
    assert [record[key] for key in ("scale", "timesteps", "seed", "readout", "allow")] == [
        "1/255",
        8,
        0,
        DEFAULT_READOUT,
        [],
    ]
    assert set(record["rounding"]) == {"conv1", "conv2", "dense1", "dense2"}
    assert record["notes"]


@pytest.mark.slow
def test_the_bits_of_weights_are_printed_where_they_were_chosen(kgenn: Kgenn, tmp_path: Path) -> None:
    plain = kgenn(*compile_arguments(tmp_path / "plain", "--target", "reference"))
    few = kgenn(*compile_arguments(tmp_path / "few", "--target", "reference", "--weight-bits", 6))
    assert "weight bits" not in plain.out
    assert "weight bits" in few.out
    bits = {line.split()[0]: line.split()[-1] for line in few.out.splitlines() if "×" in line or "dense" in line}
    assert (bits["conv1"], bits["conv2"], bits["dense1"], bits["dense2"]) == ("–", "6", "6", "6")
    shown = json.loads(kgenn("inspect", tmp_path / "few", "--json").out)
    assert [c["bits"] for c in shown["connections"] if not c["constant"]] == [6, 6, 6]
    assert {c["grid"] for c in shown["connections"]} == {"layer"}
    assert shown["record"]["lowering"]["weight_bits"] == 6


@pytest.mark.slow
def test_inspect_shows_where_channels_have_grids(kgenn: Kgenn, tmp_path: Path) -> None:
    options = ("--target", "reference", "--no-check", "--weight-bits", 6, "--weight-grid", "channel")
    assert kgenn(*compile_arguments(tmp_path / "out", "--converter", "few-spike", *options)).code == 0
    shown = kgenn("inspect", tmp_path / "out", "--json").json
    assert [c["grid"] for c in shown["connections"]] == ["layer", "channel", "channel", "layer"]


@pytest.mark.parametrize(("bits", "code"), [("3", 1), ("17", 1), ("foo", 2), ("8.5", 2)])
def test_odd_weight_bits_are_refused(kgenn: Kgenn, tmp_path: Path, bits: str, code: int) -> None:
    done = kgenn(*compile_arguments(tmp_path / "out", "--weight-bits", bits))
    assert done.code == code
    assert bits in done.err
    assert not (tmp_path / "out").exists()


def test_no_path_of_this_machine_is_recorded(compiled: Path) -> None:
    assert str(MODEL.parent) not in (compiled / "manifest.json").read_text()


def test_the_directory_holds_its_library(compiled: Path) -> None:
    assert list(compiled.glob("*.so"))


def test_options_reach_the_converter_the_encoder_and_the_lowering(kgenn: Kgenn, tmp_path: Path) -> None:
    options = ("--percentile", 100, "--channelwise", "--reset", "zero", "--initial-potential", 0.25)
    more = ("--encoder", "if", "--input-potential", 0.125, "--pooling", "population", "--readout", "spike-count")
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output, *options, *more, "--target", "reference", "--seed", 7)).code == 0
    artifact = read_directory(output)
    converter = {"reset": "zero", "initial_potential": 0.25, "percentile": 100.0, "channelwise": True}
    assert artifact.network.origin["converter"]["options"] == {**converter, "include_weights": False}
    assert artifact.network.origin["encoder"] == {"name": "if", "options": {"input_potential": 0.125}}
    assert artifact.network.origin["lowering"]["pooling"] == "population"
    assert (artifact.network.readout, artifact.network.seed, artifact.target) == ("spike-count", 7, "reference")
    assert artifact.network.populations[1].scale.shape == (16,)


def test_the_summary_names_every_population_and_how_well_the_model_is_met(kgenn: Kgenn, tmp_path: Path) -> None:
    done = kgenn(*compile_arguments(tmp_path / "out", "--check"))
    assert done.err == ""
    names = [line.split()[0] for line in done.out.splitlines() if line]
    assert names[2:7] == ["image", "conv1", "conv2", "dense1", "dense2"]
    assert re.search(r"^agreement: gives the model's class for \d", done.out, flags=re.MULTILINE)
    assert "2,893,440 synapses" in done.out.splitlines()[-1]


def test_allowing_all_is_allowing_every_feature(kgenn: Kgenn, tmp_path: Path) -> None:
    done = kgenn(*compile_arguments(tmp_path / "out", "--allow", "all", "--target", "reference"))
    assert (done.code, done.err) == (0, "")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["allow"] == sorted(FEATURES)


def test_an_older_output_is_replaced_and_anything_else_is_kg606(kgenn: Kgenn, tmp_path: Path) -> None:
    output = tmp_path / "out"
    for steps in (1, 2):
        assert kgenn(*compile_arguments(output, "--target", "reference", "--timesteps", steps)).code == 0
    assert read_directory(output).network.num_timesteps == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    done = kgenn(*compile_arguments(tmp_path / "mine", "--target", "reference"))
    assert (done.code, done.codes) == (1, ["KG606"])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_violations_are_told_before_the_data_are_read(kgenn: Kgenn, tmp_path: Path) -> None:
    model = Path(__file__).parents[1] / "fixtures/keras2/residual-2.15.0.h5"
    done = kgenn("compile", model, "--calibration", tmp_path / "none.npz", "-o", tmp_path / "out")
    assert done.codes[:2] == ["KG201", "KG204"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "says"),
    [
        (["--converter", "none", "--percentile", "99"], 1, "KG401", "known: --initial-potential, --reset"),
        (["--binarise", "0.5"], 1, "KG401", "encoder direct: has no option --binarise"),
        (["--converter", "data-nrm"], 1, "KG401", "did you mean 'data-norm'?"),
        (["--encoder", "poison"], 1, "KG401", "did you mean 'poisson'?"),
        (["--converter", "burst", "--reset", "zero"], 1, "KG401", "burst: has no option --reset"),
        (["--reset", "never"], 1, "KG401", "known: subtract, zero"),
        (["--percentile", "0"], 1, "KG401", "(0, 100]"),
        (["--initial-potential", "1"], 1, "KG401", "[0, 1)"),
        (["--encoder", "if", "--input-potential", "-1"], 1, "KG401", "[0, 1)"),
        (["--readout", "loudest"], 1, "KG401", "known: current"),
        (["--timesteps", "0"], 1, "KG401", "at least 1"),
        (["--timesteps", "2147483648"], 1, "KG401", "at most 8388608"),
        (["--scale", "0"], 1, "KG401", "1/255"),
        (["--scale", "1/0"], 1, "KG401", "1/255"),
        (["--allow", "everything"], 1, "KG401", "known: activation, all, batch-norm"),
        (["--target", "refrence"], 1, "KG503", "did you mean 'reference'?"),
        (["--percentile", "many"], 2, None, "is not a valid float"),
        (["--calibration-samples", "0"], 2, None, "x>=1"),
        (["--seed", "-1"], 2, None, "not in the range"),
    ],
)
def test_odd_options_are_told(
    kgenn: Kgenn, tmp_path: Path, arguments: list[str], exit_code: int, code: str | None, says: str
) -> None:
    done = kgenn(*compile_arguments(tmp_path / "out", *arguments))
    assert (done.code, done.codes) == (exit_code, [code] if code else [])
    assert says in done.err
    assert not (tmp_path / "out").exists()


def test_pixels_without_a_scale_are_kg604(kgenn: Kgenn, tmp_path: Path) -> None:
    done = kgenn("compile", MODEL, "--calibration", CALIBRATION, "-o", tmp_path / "out")
    assert (done.code, done.codes) == (1, ["KG604"])


def test_a_scale_with_a_decimal_point_in_a_fraction_is_recorded_and_holds_for_runs(
    kgenn: Kgenn, tmp_path: Path
) -> None:
    arguments = [*compile_arguments(tmp_path / "snn"), "--target", "reference", "--no-check"]
    assert kgenn(*("1/127.5" if argument == "1/255" else argument for argument in arguments)).code == 0
    assert json.loads((tmp_path / "snn/manifest.json").read_text())["scale"] == "2/255"
    run = ("run", tmp_path / "snn", "--data", IMAGES, "--limit", 8, "--json")
    assert kgenn(*run).json["accuracy"] == kgenn(*run, "--scale", "1/127.5").json["accuracy"]


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_silent_layer_is_kg403(kgenn: Kgenn, tmp_path: Path) -> None:
    black = saved(tmp_path / "black.npz", x=np.zeros((4, 28, 28), np.float32))
    done = kgenn("compile", MODEL, "--calibration", black, "-o", tmp_path / "out")
    assert (done.code, set(done.codes)) == (1, {"KG403"})


def test_calibration_of_another_shape_is_kg602_and_none_at_all_kg601(kgenn: Kgenn, tmp_path: Path) -> None:
    wide = saved(tmp_path / "wide.npz", x=np.zeros((4, 32, 32), np.float32))
    none = saved(tmp_path / "none.npz", x=np.zeros((0, 28, 28), np.float32))
    assert kgenn("compile", MODEL, "--calibration", wide, "-o", tmp_path / "out").codes == ["KG602"]
    assert kgenn("compile", MODEL, "--calibration", none, "-o", tmp_path / "out").codes == ["KG601"]


def test_the_training_split_of_a_keras_file_is_taken(kgenn: Kgenn, tmp_path: Path) -> None:
    with np.load(CALIBRATION) as archive:
        x = archive["x"][:64]
    both = saved(tmp_path / "both.npz", x_train=x, y_train=np.zeros(64), x_test=0 * x, y_test=np.zeros(64))
    given = ("--calibration", both, "--target", "reference")
    assert kgenn(*compile_arguments(tmp_path / "train", *given)).code == 0
    assert kgenn(*compile_arguments(tmp_path / "test", *given, "--split", "test")).codes[0] == "KG403"


def test_no_compiler_is_kg501_and_a_failing_one_kg502(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    done = kgenn(*compile_arguments(tmp_path / "out"))
    assert (done.code, done.codes) == (3, ["KG501"])
    broken = tmp_path / "broken-compiler"
    broken.write_text("#!/bin/sh\necho nothing works >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    done = kgenn(*compile_arguments(tmp_path / "out"))
    assert (done.code, done.codes) == (3, ["KG502"])
    assert "nothing works" in done.err


def test_no_option_belongs_to_two_kinds_of_things() -> None:
    kinds = (
        classes_of(CONVERTERS),
        classes_of(ENCODERS),
        {"lowering": LoweringOptions},
        {"search": TimestepSearch},
    )
    names = [name for classes in kinds for name in flags_of(classes)]
    assert len(names) == len(set(names))


def test_every_option_is_a_flag_with_its_default(kgenn: Kgenn) -> None:
    text = " ".join(kgenn("compile", "--help").out.split())
    for classes in (
        classes_of(CONVERTERS),
        classes_of(ENCODERS),
        {"lowering": LoweringOptions},
        {"search": TimestepSearch},
    ):
        for name in flags_of(classes):
            assert f"--{name.replace('_', '-')} " in text


def headed(text: str) -> dict[str, str]:
    """Return what stands under each heading of a help, with single spaces."""
    found: dict[str, str] = {}
    heading = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            heading = line.removesuffix(":")
        found[heading] = f"{found.get(heading, '')} {' '.join(line.split())}"
    return found


@pytest.mark.parametrize("columns", [80, 100])
def test_an_option_stands_once_under_the_methods_that_have_it(
    kgenn: Kgenn, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = kgenn("compile", "--help").out
    assert max(map(len, out.splitlines())) <= columns
    sections = headed(out)
    for kind, registry in (("Converter", CONVERTERS), ("Encoder", ENCODERS)):
        for name, flag in flags_of(classes_of(registry)).items():
            heading = f"{kind}{'s' if len(flag.owners) > 1 else ''} {', '.join(flag.owners)}"
            holding = [title for title, body in sections.items() if f" --{name.replace('_', '-')} " in body]
            assert holding == [heading]
    assert "256 (rate, differential), 12 (binary)" in sections["Search, with --timesteps auto"]
    assert "--loss" in sections["Search, with --timesteps auto"]
    assert "--residual" in sections["Lowering"]
    assert "--calibration " in sections["Options"]


def test_a_default_that_methods_do_not_share_is_told_for_each(kgenn: Kgenn) -> None:
    text = " ".join(kgenn("compile", "--help").out.split())
    assert "[default: 0.4 for burst; 1.0 for few-spike, ttfs]" in text
    assert "[default: subtract]" in text


def test_every_choice_of_an_option_works_with_the_methods_that_it_is_listed_for() -> None:
    for name, cls in classes_of(CONVERTERS).items():
        for option in options_of(cls):
            for choice in option.choices:
                assert getattr(cls(**{option.name: choice}), option.name) == choice, name


def searched(output: Path, *extra: object) -> tuple[object, ...]:
    return compile_arguments(output, "--target", "reference", "--timesteps", "auto", "--check", *extra)


@pytest.mark.parametrize("converter", leading(["data-norm", "few-spike"]))
def test_auto_is_the_network_of_the_steps_it_chose_and_is_recorded(
    kgenn: Kgenn, tmp_path: Path, converter: str
) -> None:
    options = ("--converter", converter, "--loss", 2, "--most-timesteps", 12)
    done = kgenn(*searched(tmp_path / "auto", *options))
    assert (done.code, done.err) == (0, "")
    record = read_directory(tmp_path / "auto").network.origin
    chosen, search = record["timesteps"], record["search"]
    assert (search["limit"], search["measured"], search["most_timesteps"]) == (2, "accuracy", 12)
    assert search["loss"] <= 2
    (line,) = (line for line in done.out.splitlines() if line.startswith(f"{chosen} timestep"))
    assert line.endswith(f"{search['loss']:.2f} points of accuracy lost on 128 calibration samples")
    plain = ("--target", "reference", "--converter", converter, "--timesteps", chosen)
    assert kgenn(*compile_arguments(tmp_path / "plain", *plain)).code == 0
    assert (tmp_path / "plain/network.npz").read_bytes() == (tmp_path / "auto/network.npz").read_bytes()
    assert read_directory(tmp_path / "plain").network.origin["search"] is None


@pytest.mark.slow
def test_auto_without_labels_keeps_to_the_model_s_predictions(kgenn: Kgenn, tmp_path: Path) -> None:
    with np.load(CALIBRATION) as archive:
        unlabelled = saved(tmp_path / "x.npz", x=archive["x"][:128])
    done = kgenn(*searched(tmp_path / "out", "--calibration", unlabelled, "--loss", 5))
    assert "points of agreement with the model lost on 128 calibration samples" in done.out
    assert read_directory(tmp_path / "out").network.origin["search"]["measured"] == "agreement"


def test_auto_tells_what_it_cannot_do(kgenn: Kgenn, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = kgenn(*searched(output, "--most-timesteps", 1, "--loss", 0))
    assert (done.code, done.codes) == (1, ["KG405"])
    assert "loses at most 0 points with certainty; on 128 samples T = 1 does best" in done.err
    assert kgenn(*searched(output, "--loss", 101)).codes == ["KG401"]
    assert kgenn(*searched(output, "--converter", "few-spike", "--most-timesteps", 17)).codes == ["KG401"]
    assert kgenn(*compile_arguments(output, "--loss", 1)).codes == ["KG401"]
    assert kgenn(*compile_arguments(output, "--timesteps", "many")).code == 2
    assert not output.exists()


def test_the_manifest_names_what_the_model_has_beyond_the_strict_profile(kgenn: Kgenn, tmp_path: Path) -> None:
    model = Path(__file__).parents[1] / "fixtures/keras2/residual-2.15.0.h5"
    shape = as_graph(model).input_shape
    data = saved(tmp_path / "x.npz", x=np.random.default_rng(0).uniform(0, 1, (16, *shape)).astype(np.float32))
    allowed = [part for name in FEATURES for part in ("--allow", name)]
    arguments = ("compile", model, "--calibration", data, "--target", "reference", *allowed)
    assert kgenn(*arguments, "-o", tmp_path / "out").code == 0
    assert (
        {"bias", "batch-norm"} <= set(read_directory(tmp_path / "out").network.origin["features"]) < set(FEATURES)
    )
    assert "batch normalisation folded" in kgenn("cite", tmp_path / "out").out


def test_a_program_that_fires_other_spikes_than_the_reference_is_an_error(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpp_layout, "largest_value", lambda network, population: 1)  # 255 in a byte
    result = kgenn(*compile_arguments(tmp_path / "snn", "--converter", "few-spike", "--check"))
    assert result.code == 1
    assert "KG642" in result.err
    assert (tmp_path / "snn" / "manifest.json").is_file()
