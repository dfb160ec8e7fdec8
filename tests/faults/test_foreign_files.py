"""What users put into an output directory, or change there, is never removed unless they ask for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faulty import compile_arguments, kgenn
from kgenn.artifact.directory import COMPILED, MANIFEST, Artifact, write_artifact
from kgenn.backends import TARGETS
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import IGNORE, SUMS
from kgenn.files.output import MAX_NAMES, refuse_directory
from kgenn.files.scratch import SUFFIX
from recordings import converted


def files(target: str = "reference", encoder: str = "if") -> dict[str, bytes]:
    network = converted("dense", encoder)
    return Artifact(network, target).files(TARGETS.get(target)().emit(network))


def contents(directory: Path) -> dict[str, bytes | None]:
    paths = sorted(p for p in directory.rglob("*") if p.name != IGNORE)
    return {str(p.relative_to(directory)): p.read_bytes() if p.is_file() else None for p in paths}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    write_artifact(tmp_path / "out", files())
    return tmp_path / "out"


def refused(directory: Path, *named: str) -> None:
    """Hold that a directory stays as it is, and that the message names what is in the way."""
    before = contents(directory)
    with pytest.raises(KgennError) as caught:
        write_artifact(directory, files(encoder="poisson"))
    (found,) = caught.value.diagnostics
    assert found.code == "KG606"
    assert found.what.endswith(f"changed since: {', '.join(named)}")
    assert "--overwrite" in found.help
    assert contents(directory) == before
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


names = st.text(ascii_lowercase + ".-_", min_size=1, max_size=8).filter(lambda name: name.strip("."))


@given(parts=st.lists(names, min_size=1, max_size=3), content=st.binary(max_size=4))
def test_a_file_of_any_name_in_any_folder_stays(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("any") / "out"
    write_artifact(directory, files())
    mine = directory.joinpath(*parts)
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(content)
    refused(directory, "/".join(parts))


def test_a_folder_a_link_a_hidden_file_and_what_looks_like_kgenn_s_stay(output: Path) -> None:
    (output / "empty").mkdir()
    (output / ".hidden").touch()
    (output / "build").mkdir()
    (output / "build" / "results.csv").touch()
    (output / "libkgenn_network-mine.so").touch()
    (output / "link").symlink_to(output)
    refused(output, ".hidden", "build/results.csv", "empty", "libkgenn_network-mine.so", "link")


def test_of_many_files_the_first_are_named_and_the_others_counted(output: Path) -> None:
    mine = [f"mine-{number:02}" for number in range(MAX_NAMES + 3)]
    for name in mine:
        (output / name).touch()
    refused(output, *mine[: MAX_NAMES - 1], f"{mine[MAX_NAMES - 1]} and 3 more")


def test_a_file_that_was_changed_stays(output: Path) -> None:
    manifest = output / MANIFEST
    manifest.write_text(manifest.read_text() + "\n")
    refused(output, MANIFEST)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"odd")])
def test_without_sums_kgenn_knows_no_file_as_its_own(output: Path, damage: Callable[[Path], None]) -> None:
    damage(output / SUMS)
    refused(output, *contents(output))


class Arriving(dict[str, bytes]):
    """Files to be written, during whose writing somebody puts another one into the directory."""

    place: Path

    def items(self) -> Iterator[tuple[str, bytes]]:  # type: ignore[override]
        yield from super().items()
        self.place.write_bytes(b"mine")


def test_a_file_that_comes_while_the_directory_is_written_stays(output: Path) -> None:
    arriving = Arriving(files(encoder="poisson"))
    arriving.place = output / "mine"
    with pytest.raises(KgennError, match=r"KG606.*mine"):
        write_artifact(output, arriving)
    assert contents(output) == {**files(), "mine": b"mine"}


@pytest.mark.parametrize(
    ("target", "leaves"),
    [
        ("cpu", [f"libkgenn_network-{'0a' * 8}.so", f"libkgenn_network-{'0a' * 8}.so.sha256"]),
        ("genn-cpu", ["genn_build/batch1/lock", "genn_build/batch16_record/network_CODE/init.o"]),
        ("reference", [f".library-1{SUFFIX}/half"]),
    ],
)
def test_what_kgenn_s_builds_and_killed_processes_left_is_replaced(
    tmp_path: Path, target: str, leaves: list[str]
) -> None:
    output = tmp_path / "out"
    write_artifact(output, files(target))
    for name in leaves:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()
    write_artifact(output, files())
    assert contents(output) == files()
    (output / leaves[0]).parent.mkdir(parents=True, exist_ok=True)
    if target != "reference":
        (output / leaves[0]).touch()
        refused(output, leaves[0])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_directory_that_was_built_and_run_is_replaced(tmp_path: Path) -> None:
    import kgenn as package

    write_artifact(tmp_path / "out", files("cpu"))
    package.open_directory(tmp_path / "out")
    assert list((tmp_path / "out").glob("*.so"))
    refuse_directory(tmp_path / "out", COMPILED)


@pytest.mark.slow
def test_the_command_refuses_before_any_work_and_the_flag_deletes(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output)).code == 0
    (output / "thesis.tex").write_text("precious")
    done = kgenn("compile", "no-model.h5", "--calibration", "none.npz", "-o", output)
    assert (done.code, done.codes) == (1, ["KG606"])
    assert "thesis.tex" in done.err
    assert (output / "thesis.tex").read_text() == "precious"
    assert kgenn(*compile_arguments(output, "--overwrite")).code == 0
    assert not (output / "thesis.tex").exists()


def test_the_flag_deletes_no_directory_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(KgennError, match=r"KG606.*not an output of kgenn compile"):
        write_artifact(tmp_path, files(), overwrite=True)
    assert contents(tmp_path) == {"thesis.tex": b"precious"}
