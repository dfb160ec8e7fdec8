"""The toolchain: compiled once, run without a compiler afterwards, and one clear error for each failure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kgenn
from kgenn.backends import TARGETS, toolchain
from kgenn.backends.base import RunOptions
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.cpp import Cpp
from kgenn.backends.program_context import WEIGHTS
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.diagnostics import KgennError
from kgenn.ir.network import Network
from looped import looped
from recordings import converted

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


EDITED = RunOptions(edited=True)


def libraries(directory: Path) -> list[Path]:
    return list(directory.glob("*.so"))


class CountingCompiler:
    """A compiler that notes every program it compiles."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.log.touch()
        self.path = directory / "counting-g++"
        self.path.write_text(f'#!/bin/sh\ncase "$*" in *.cpp*) echo "$*" >> "{self.log}";; esac\nexec g++ "$@"\n')
        self.path.chmod(0o755)

    @property
    def runs(self) -> int:
        return self.log.read_text().count("network.cpp")

    @property
    def shared_runs(self) -> int:
        """Return how often what all programs share was compiled."""
        return self.log.read_text().count("/product.cpp\n")


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountingCompiler:
    """Make CXX a compiler that counts, and the cache empty."""
    made = CountingCompiler(tmp_path)
    monkeypatch.setenv("CXX", str(made.path))
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    return made


def script(directory: Path, text: str) -> str:
    path = directory / "odd-g++"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def score(network: kgenn.CompiledNetwork) -> np.ndarray:
    x = np.random.default_rng(0).random((3, *network.network.input_shape)).astype(np.float32) * 0.9
    return network.evaluate(x).scores


def save(network: Network, directory: Path) -> np.ndarray:
    """Save a network and return the scores it should give."""
    reference = kgenn.compile(network, "reference")
    replaced = kgenn.CompiledNetwork(replace(reference.artifact, target="cpu"), reference._simulator)
    replaced.save(directory)
    return score(reference)


@pytest.mark.slow
def test_a_program_is_compiled_once_and_only_for_a_new_structure(compiler: CountingCompiler) -> None:
    same = [converted("conv_same", "if", DataNorm(percentile=p), num_timesteps=t) for p, t in ((100, 5), (90, 9))]
    for network in (*same, *same):
        assert np.array_equal(score(kgenn.compile(network)), score(kgenn.compile(network, "reference")))
    assert compiler.runs == 1
    kgenn.compile(converted("conv_same", "poisson"))
    assert (compiler.runs, compiler.shared_runs) == (2, 1)
    kgenn.compile(converted("conv_same", "few-spike", FewSpike(), num_timesteps=8))  # values of another kind
    assert (compiler.runs, compiler.shared_runs) == (3, 2)


@pytest.mark.slow
def test_a_network_that_runs_once_is_built_fast_with_the_products_of_every_other(
    compiler: CountingCompiler,
) -> None:
    network = converted("conv_same", "if")
    drive = network.drive(np.full((3, *network.input_shape), 0.5, np.float32))
    runs = [Cpp(quick).load(network, None, RunOptions()).run(drive, 0).scores for quick in (False, True, False)]
    assert np.array_equal(runs[0], runs[1])
    assert (compiler.runs, compiler.shared_runs) == (2, 1)
    assert compiler.log.read_text().count("-O1 -ftree-vectorize") == 1


@pytest.mark.slow
def test_flags_of_the_user_come_last_and_make_another_program(
    compiler: CountingCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = converted("conv_same", "if")
    for flags in ("", "-O1 -DNAME='a b'", ""):
        monkeypatch.setenv("KGENN_CXXFLAGS", flags)
        assert np.array_equal(score(kgenn.compile(network)), score(kgenn.compile(network, "reference")))
    assert compiler.runs == 2
    assert "-O1 -DNAME=a b" in compiler.log.read_text()
    monkeypatch.setenv("KGENN_CXXFLAGS", "-O2")
    Cpp(quick=True).load(network, None, RunOptions())
    assert "-O1 -ftree-vectorize -O2" in compiler.log.read_text()
    monkeypatch.setenv("KGENN_CXXFLAGS", "-DNAME='")
    with pytest.raises(KgennError, match="no closing quotation"):
        kgenn.compile(network)
    monkeypatch.setenv("KGENN_CXXFLAGS", "-no-such-flag")
    with pytest.raises(KgennError, match=r"KG502(.|\n)*KGENN_CXXFLAGS to flags that it takes instead of -no-such"):
        kgenn.compile(network)


def test_a_directory_that_was_built_runs_without_a_compiler(
    compiler: CountingCompiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = save(converted("conv_same", "if"), tmp_path / "out")
    assert libraries(tmp_path / "out") == []
    assert np.array_equal(score(kgenn.open_directory(tmp_path / "out")), expected)
    assert compiler.runs == 1
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "file" / "none"))
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert np.array_equal(score(kgenn.open_directory(tmp_path / "moved")), expected)


@pytest.mark.slow
def test_changed_sources_are_compiled_again(compiler: CountingCompiler, tmp_path: Path) -> None:
    expected = save(converted("conv_same", "if"), tmp_path / "out")
    kgenn.open_directory(tmp_path / "out")
    source = tmp_path / "out" / "network.cpp"
    source.write_text(source.read_text() + "// changed\n")
    assert np.array_equal(score(kgenn.open_directory(tmp_path / "out", EDITED)), expected)
    assert compiler.runs == 2
    kgenn.open_directory(tmp_path / "out", EDITED)
    assert compiler.runs == 2
    assert len(libraries(tmp_path / "out")) == 1


@pytest.mark.slow
def test_an_emptied_cache_is_filled_again(compiler: CountingCompiler) -> None:
    kgenn.compile(converted("dense", "if"))
    shutil.rmtree(cache_directory())
    kgenn.compile(converted("dense", "if"))
    assert compiler.runs == 2
    assert sorted(p.suffix for p in cache_directory().iterdir()) == [".o", ".so"]


@pytest.mark.slow
def test_cxx_may_carry_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "g++ -pipe")
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path))
    assert score(kgenn.compile(converted("dense", "if"))).shape == (3, 4)


def test_a_compiler_that_is_missing_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(KgennError, match=r"KG501.*'no-such-compiler'(.|\n)*install g\+\+") as caught:
        kgenn.compile(converted("dense", "if"))
    assert caught.value.exit_code == 3


def test_without_any_compiler_the_ones_looked_for_are_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.find_compiler.cache_clear()
    with pytest.raises(KgennError, match=r"KG501.*looked for c\+\+, g\+\+, clang\+\+"):
        kgenn.compile(converted("dense", "if"))


def test_the_log_of_a_compiler_that_fails_is_shown_in_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", script(tmp_path, "seq -f 'trouble %g' 1 50 >&2; exit 3"))
    with pytest.raises(KgennError, match=r"KG502.*ended with status 3") as caught:
        kgenn.compile(converted("dense", "if"))
    assert "trouble 1\n" in str(caught.value)
    assert "trouble 50" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(KgennError, match=r"KG606(.|\n)*set KGENN_CACHE"):
        kgenn.compile(converted("dense", "if"))


@looped("damage", ["empty", "cut off", "longer", "no magic", "another network's"])
def test_weights_of_another_kind_are_refused(tmp_path: Path, damage: str) -> None:
    save(converted("dense", "poisson"), tmp_path / damage)
    path = tmp_path / damage / WEIGHTS
    good = path.read_bytes()
    other = TARGETS.get("cpu")().emit(converted("dense", "if")).files[WEIGHTS]
    path.write_bytes(
        {
            "empty": b"",
            "cut off": good[:-4],
            "longer": good + b"\0" * 4,
            "no magic": b"\0" * 4 + good[4:],
            "another network's": other,
        }[damage]
    )
    with pytest.raises(KgennError, match=r"KG504.*(does not take these weights|of another network)"):
        kgenn.open_directory(tmp_path / damage, EDITED)


@pytest.mark.slow
def test_a_directory_written_anew_opens_anew_in_the_same_process(
    compiler: CountingCompiler, tmp_path: Path
) -> None:
    for name, encoder in (("dense", "if"), ("dense", "poisson"), ("conv_same", "if"), ("dense", "if")):
        expected = save(converted(name, encoder), tmp_path / "out")
        for _ in range(2):
            assert np.array_equal(score(kgenn.open_directory(tmp_path / "out")), expected)
            assert len(libraries(tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["network.cpp", "product.hpp", "product.cpp", WEIGHTS])
def test_a_missing_file_of_the_program_is_an_error(compiler: CountingCompiler, tmp_path: Path, name: str) -> None:
    save(converted("dense", "if"), tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    with pytest.raises(KgennError, match="KG640"):
        kgenn.open_directory(tmp_path / "out")
    with pytest.raises(KgennError, match="KG605"):
        kgenn.open_directory(tmp_path / "out", EDITED)
