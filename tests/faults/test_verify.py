"""kgenn verify: any changed, missing or added byte is told, and the samples run as the reference did."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn as package
from covering import covering
from faulty import compile_arguments
from genn_python import genn_python
from kgenn.artifact.directory import MANIFEST, NETWORK, Artifact, read_directory, write_artifact
from kgenn.artifact.self_test import SELF_TEST, departures, extent, random_drive, read_self_test, self_test
from kgenn.artifact.verification import Verification, verify
from kgenn.backends import TARGETS
from kgenn.backends.base import Program, RunOptions
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.cli import invoke
from kgenn.conversion.data_norm import DataNorm
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import IGNORE, SUMS, read_sums, sums
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording, RecordingOptions
from networks import ENCODERS, RECIPES
from recordings import METHODS, compiled, converted

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def save(directory: Path, target: str = "reference", network: Network | None = None) -> Path:
    """Write a network for a target, with its self-test."""
    chosen = converted("conv_same", "if") if network is None else network
    artifact, program = Artifact(chosen, target), TARGETS.get(target)().emit(chosen)
    write_artifact(directory, artifact.files(program, self_test(chosen)))
    return directory


def told(found: Verification) -> list[tuple[str, str]]:
    """Return the code and the file of each problem."""
    return [(problem.code, Path(problem.where).name) for problem in found.problems]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of the target reference, to be copied."""
    return save(tmp_path_factory.mktemp("saved") / "out")


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """Return a directory to be spoilt."""
    return shutil.copytree(saved, tmp_path / "out")


@pytest.mark.parametrize("target", ["reference", pytest.param("cpu", marks=needs_compiler)])
def test_a_directory_as_it_was_written_is_sound_before_and_after_it_ran(tmp_path: Path, target: str) -> None:
    directory = save(tmp_path / "out", target)
    for _ in range(2):
        found = verify(directory)
        assert found.sound, found
        assert (found.target, found.samples, found.timesteps) == (target, 3, 21)
        assert found.spikes > 0
        assert found.files == len(read_sums((directory / SUMS).read_bytes()))


def test_a_directory_for_genn_runs_its_samples_on_genn(tmp_path: Path) -> None:
    options = RunOptions(genn_python=genn_python())
    directory = save(tmp_path / "out", "genn-cpu")
    found = verify(directory, options)
    assert found.sound, found
    assert (found.target, found.samples) == ("genn-cpu", 3)
    assert found.spikes > 0
    model = directory / "model.py"
    model.write_text(model.read_text().replace("v >= v_thresh", "v > v_thresh"))
    assert ("KG640", "model.py") in told(verify(directory, options))


def test_checksums_are_those_of_every_file_and_sha256sum_reads_them(saved: Path) -> None:
    listed = read_sums((saved / SUMS).read_bytes())
    assert {*listed, SUMS, IGNORE} == {path.name for path in saved.iterdir()}
    assert listed.keys() >= {MANIFEST, NETWORK, SELF_TEST}
    assert sums({"b": b"", "a": b"abc"}).splitlines()[0] == (
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a"
    )


@given(data=st.data())
def test_any_changed_cut_or_longer_file_is_told(saved: Path, data: st.DataObject) -> None:
    names = sorted({path.name for path in saved.iterdir()} - {IGNORE})
    path = saved / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["changed", "cut", "longer", "missing"]))
    other = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    spoilt = {"changed": whole[:at] + other + whole[at + 1 :], "cut": whole[:at], "longer": whole + other}
    try:
        path.unlink()
        if kind != "missing":
            path.write_bytes(spoilt[kind])
        try:
            found = told(verify(saved))
        except KgennError as error:
            found = [(diagnostic.code, path.name) for diagnostic in error.diagnostics]
        # without the sums, or where a changed letter makes them sums of other files
        other_sums = path.name == SUMS and found == [("KG641", SUMS)]
        assert other_sums or ("KG640" in dict(found) and (path.name, kind) != (SUMS, "missing"))
        assert path.name == SUMS or found == [("KG640", path.name)]
    finally:
        path.write_bytes(whole)
    assert path.name != MANIFEST or verify(saved).sound


def test_sums_that_are_written_otherwise_are_damaged() -> None:
    good = sums({"a": b"1", "b/c": b"2"})
    first, second = good.splitlines(keepends=True)
    assert list(read_sums(good)) == ["a", "b/c"]
    for odd in (
        b"",
        good[:-1],
        good + b"\n",
        good.replace(b"\n", b"\r\n"),
        good.upper(),
        second + first,
        first * 2,
    ):
        with pytest.raises(ValueError, match="damaged"):
            read_sums(odd)
    for name in (b"/etc/passwd", b"../a", b"x/../../a", b"a b", b""):
        with pytest.raises(ValueError, match="damaged"):
            read_sums(first.replace(b"  a", b"  " + name))


def test_added_files_and_folders_are_told_and_what_running_adds_is_not(copy: Path) -> None:
    (copy / "notes.txt").touch()
    (copy / "more").mkdir()
    (copy / "more" / "deep").touch()
    (copy / ".library-1.kgenn-scratch").mkdir()
    found = verify(copy)
    assert told(found) == [("KG640", "more"), ("KG640", "notes.txt")]
    assert found.samples > 0


def test_a_file_that_is_a_directory_or_a_pipe_is_told(copy: Path) -> None:
    for number, name in enumerate((NETWORK, SELF_TEST)):
        (copy / name).unlink()
        (copy / name).mkdir()
        assert [name for _, name in told(verify(copy))][number] == name
    assert all("is not a file any more" in problem.what for problem in verify(copy).problems)


def test_what_is_no_output_or_has_no_samples_is_an_error(copy: Path, tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(KgennError, match="KG605"):
            verify(directory)
    (copy / SUMS).unlink()
    with pytest.raises(KgennError, match=r"KG641.*has no SHA256SUMS"):
        verify(copy)
    write_artifact(copy, Artifact(converted("dense"), "reference").files(Program({})), overwrite=True)
    with pytest.raises(KgennError, match=r"KG641.*no samples"):
        verify(copy)


def test_a_self_test_of_another_network_is_damage(copy: Path) -> None:
    files = {path.name: path.read_bytes() for path in copy.iterdir() if path.name != SUMS}
    other = self_test(converted("dense", "if")).to_bytes()
    for content in (other, b"PK", b""):
        files[SELF_TEST] = content
        write_artifact(copy, {**files, SUMS: sums(files)}, overwrite=True)
        with pytest.raises(KgennError, match=r"KG605.*self_test.npz"):
            verify(copy)


@pytest.mark.slow
@needs_compiler
def test_sources_that_were_changed_are_told_and_run_where_that_is_asked_for(tmp_path: Path) -> None:
    directory = save(tmp_path / "out", "cpu")
    source = directory / "network.cpp"
    source.write_text(source.read_text() + "// a comment\n")
    assert (told(verify(directory)), verify(directory).samples) == ([("KG640", "network.cpp")], 0)
    assert list(directory.glob("*.so")) == []
    edited = RunOptions(edited=True)
    found = verify(directory, edited)
    assert told(found) == [("KG640", "network.cpp")]
    assert found.samples == 3
    other = TARGETS.get("cpu")().emit(converted("conv_same", "if", DataNorm(percentile=90.0)))
    (directory / "weights.bin").write_bytes(other.files["weights.bin"])
    files, spikes = told(verify(directory, edited))[:2], told(verify(directory, edited))[2:]
    assert files == [("KG640", "network.cpp"), ("KG640", "weights.bin")]
    assert set(spikes) == {("KG642", "out")}
    source.unlink()
    found = verify(directory, edited)
    assert [problem.what for problem in found.problems] == ["is missing", "has changed"]
    assert found.samples == 0


@needs_compiler
def test_a_library_in_which_a_byte_is_changed_is_told_and_not_loaded(tmp_path: Path) -> None:
    directory = save(tmp_path / "out", "cpu")
    assert verify(directory).sound
    (library,) = directory.glob("*.so")
    copy = shutil.copytree(directory, tmp_path / "copy")
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    (copy / library.name).write_bytes(content)
    found = verify(copy)
    assert told(found) == [("KG640", library.name)]
    assert found.samples == 0
    checksum = copy / f"{library.name}.sha256"
    checksum.write_bytes(b"odd")
    assert told(verify(copy)) == [("KG640", checksum.name)]
    checksum.unlink()
    assert told(verify(copy)) == [("KG640", library.name)]
    (copy / library.name).unlink()
    assert verify(copy).sound


class Odd(ReferenceSimulator):
    """A simulator whose readout, or one of whose populations, is not as it should be."""

    def __init__(self, network: Network, kind: str) -> None:
        super().__init__(network)
        self.kind = kind

    def run(self, drive: np.ndarray, first_sample: int, record: RecordingOptions | None = None) -> Recording:
        recording = super().run(drive, first_sample, record or RecordingOptions())
        name = self.network.hidden[0].name
        counts = recording.spike_counts[name].copy()
        if self.kind == "scores":
            recording.scores[1, 5] += 1
        elif self.kind == "one more":
            counts[0, 0] += 1
        else:
            counts[0] = counts[0][::-1]
        return replace(recording, spike_counts={**recording.spike_counts, name: counts})


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("scores", "scores: differ in sample 1 from step 6 on"),
        ("one more", r"population .*: (\d+) spikes in sample 0, \d+ expected"),
        ("swapped", "population .*: as many spikes as expected, of other neurons"),
    ],
)
def test_one_spike_or_score_that_is_not_the_reference_s_is_told(kind: str, what: str) -> None:
    network = converted("conv_same", "if")
    (found,) = departures(network, Odd(network, kind), self_test(network))
    assert re.fullmatch(what, found)


@pytest.mark.parametrize(("name", "encoder"), list(zip(list(RECIPES)[::3], cycle(ENCODERS), strict=False)))
def test_random_inputs_are_legal_and_make_a_test_that_the_pipeline_passes(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    test = self_test(network)
    levels = network.inputs[0].coding.levels
    assert test.drive.min() >= np.rint(network.inputs[0].coding.low * levels)
    assert test.drive.max() <= np.rint(network.inputs[0].coding.high * levels)
    assert list(departures(network, PipelineSimulator(network), test)) == []


@pytest.mark.parametrize(("method", "num_timesteps"), covering(METHODS, [3, 100]))
def test_a_test_of_the_first_steps_is_passed_by_a_network_of_more(
    tmp_path: Path, method: str, num_timesteps: int
) -> None:
    converter = METHODS[method][0]
    if converter.name == "few-spike":
        num_timesteps = min(num_timesteps, 12)
    network = converted("conv_same", "direct", converter, num_timesteps=num_timesteps)
    num_samples, steps = extent(network)
    assert 1 <= num_samples <= 8
    assert num_samples * steps <= 64 or (num_samples == 1 and network.code.staged)
    (tmp_path / SELF_TEST).write_bytes(self_test(network).to_bytes())
    test = read_self_test(tmp_path / SELF_TEST, network)
    assert test.num_timesteps == steps
    assert list(departures(network, PipelineSimulator(network), test)) == []
    if shutil.which("g++") and num_timesteps == 100 and method in ("burst", "calibrated"):
        assert list(departures(network, compiled(network), test)) == []


def test_binary_inputs_are_of_both_kinds() -> None:
    network = converted("conv_same", "spike")
    assert set(np.unique(random_drive(network, 2))) == {
        network.inputs[0].coding.low,
        network.inputs[0].coding.high * network.inputs[0].coding.levels,
    }


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = invoke([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_the_command_tells_files_and_samples_and_ends_with_1_where_one_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert command(capsys, *compile_arguments(output))[0] == 0
    code, out, err = command(capsys, "verify", output)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "files     3 compared with SHA256SUMS, all as expected"
    assert "8 run for 4 timesteps on reference" in out
    code, out, err = command(capsys, "verify", output, "--json")
    found = json.loads(out)
    assert (code, found["sound"], found["problems"], found["samples"]) == (0, True, [], 8)
    (output / "network.npz").write_bytes(b"")
    code, out, err = command(capsys, "verify", output, "--json")
    assert (code, json.loads(out)["problems"][0]["code"]) == (1, "KG640")
    assert err.startswith(f"error[KG640] {output / 'network.npz'}: has changed")
    code, out, err = command(capsys, "verify", output)
    assert (code, out.splitlines()) == (1, ["files     3 compared with SHA256SUMS, 1 differ", "samples   not run"])


def test_the_samples_are_the_first_calibration_samples(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert invoke([str(argument) for argument in compile_arguments(output)]) == 0
    network = read_directory(output).network
    test = read_self_test(output / SELF_TEST, network)
    with np.load(compile_arguments(output)[3]) as data:  # type: ignore[call-overload]
        x = data["x"][:8][..., None] / np.float32(255)
    np.testing.assert_array_equal(test.drive, network.drive(x))


def test_without_pygenn_a_directory_for_genn_ends_with_3_after_its_files_were_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = save(tmp_path / "out", "genn-cpu")
    code, out, err = command(capsys, "verify", directory, "--genn-python", tmp_path / "none")
    assert code == 3
    assert out.splitlines() == ["files     5 compared with SHA256SUMS, all as expected", "samples   not run"]
    assert "KG505" in err


def test_the_python_interface_saves_and_verifies(tmp_path: Path) -> None:
    package.compile(converted("dense", "poisson"), "reference").save(tmp_path / "out")
    assert package.verify(tmp_path / "out").sound
