"""Exported C++ has names of the user's, so that one program holds several networks."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.backends.base import Program
from kgenn.backends.reference import ReferenceSimulator
from kgenn.cli import invoke
from kgenn.export.cpp import CppSources
from kgenn.export.prefix import renamed
from kgenn.ir.network import Network
from programs import PLAIN, WARNINGS
from recordings import converted, inputs_of

NETWORKS = {"left": ("residual_shortcut", "poisson"), "right_2": ("upsample_bilinear_conv", "if")}

MAIN = r"""
#include <cstdio>
#include <vector>
#include "left/left_network.h"
#include "right_2/right_2_network.h"

#define PRINT(name, NAME)                                                                              \
    {                                                                                                  \
        name##_network* network = name##_open(#name "/weights.bin");                                   \
        if (network == nullptr) return 1;                                                              \
        name##_stream* stream = name##_stream_open(network);                                           \
        std::vector<float> x(NAME##_NUM_INPUTS);                                                       \
        std::FILE* file = std::fopen(#name ".f32", "rb");                                              \
        if (std::fread(x.data(), sizeof(float), x.size(), file) != x.size()) return 2;                 \
        std::fclose(file);                                                                             \
        for (int t = 0; t < name##_num_timesteps(network); ++t) name##_step(stream, x.data(), nullptr); \
        for (int i = 0; i < NAME##_NUM_CLASSES; ++i) std::printf(" %.9g", name##_stream_scores(stream)[i]); \
        std::printf("\n");                                                                             \
        name##_stream_close(stream);                                                                   \
        name##_close(network);                                                                         \
    }

int main() {
    PRINT(left, LEFT)
    PRINT(right_2, RIGHT_2)
}
"""


def export(network: Network, directory: Path, prefix: str) -> None:
    write_artifact(directory / "net", Artifact(network, "reference").files(Program({})))
    arguments = ["--to", "cpp", "--prefix", prefix, "-o", str(directory / prefix)]
    assert invoke(["export", str(directory / "net"), *arguments]) == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_two_networks_run_in_one_program(tmp_path: Path) -> None:
    expected = []
    for prefix, (name, encoder) in NETWORKS.items():
        network = converted(name, encoder)
        export(network, tmp_path, prefix)
        x = inputs_of(network, encoder, 1)
        (tmp_path / f"{prefix}.f32").write_bytes(x.tobytes())
        expected.append(ReferenceSimulator(network).run(network.drive(x), 0).scores[0, -1])
    (tmp_path / "main.cpp").write_text(MAIN)
    sources = [str(tmp_path / p / s) for p in NETWORKS for s in ("network.cpp", "product.cpp")]
    command = ["g++", *PLAIN, *WARNINGS, "-o", str(tmp_path / "both"), str(tmp_path / "main.cpp"), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = subprocess.run([tmp_path / "both"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    for line, scores in zip(printed.splitlines(), expected, strict=True):
        assert np.array_equal(np.array(line.split(), np.float32), scores)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None or shutil.which("g++") is None, reason="needs cmake and g++")
def test_two_networks_are_targets_of_one_project(tmp_path: Path) -> None:
    for prefix, (name, encoder) in NETWORKS.items():
        export(converted(name, encoder), tmp_path, prefix)
    (tmp_path / "main.cpp").write_text('#include "left_network.h"\n#include "right_2_network.h"\nint main() {}\n')
    lines = ["cmake_minimum_required(VERSION 3.16)", "project(both CXX)", "add_subdirectory(left)"]
    lines += ["add_subdirectory(right_2)", "add_executable(both main.cpp)"]
    lines += ["target_link_libraries(both PRIVATE left_network right_2_network)"]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    made = str(tmp_path / "made")
    for command in (["cmake", "-S", str(tmp_path), "-B", made], ["cmake", "--build", made]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_name_is_left_as_it_was() -> None:
    files = CppSources().emit(converted("dense", "poisson"), "mine").files
    for name, content in files.items():
        if not name.endswith(".bin"):
            text = content.decode().replace("generated by kgenn", "").replace("kgenn compile", "")
            assert [line for line in text.splitlines() if "kgenn" in line.lower()] == [], name


def test_words_are_not_names() -> None:
    text = b"// of kgenn 1, mykgenn_x, kgenn_open, KGENN_OK\nnamespace kgenn {"
    expected = b"// of kgenn 1, mykgenn_x, a_open, A_OK\nnamespace a_inside {"
    assert renamed({"kgenn_network.h": text, "x.bin": text}, "a") == {"a_network.h": expected, "x.bin": text}


@pytest.mark.parametrize("prefix", ["", "2nd", "Net", "a-b", "a" * 40, "é", "a b", "a;", "int main() {} //"])
def test_a_prefix_that_begins_no_name_is_refused(
    tmp_path: Path, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_artifact(tmp_path / "net", Artifact(converted("dense"), "reference").files(Program({})))
    output = ["-o", str(tmp_path / "out")]
    assert invoke(["export", str(tmp_path / "net"), "--to", "cpp", "--prefix", prefix, *output]) == 1
    assert "KG401" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_prefix_is_for_sources_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_artifact(tmp_path / "net", Artifact(converted("dense"), "reference").files(Program({})))
    output = ["-o", str(tmp_path / "net.nir")]
    assert invoke(["export", str(tmp_path / "net"), "--to", "nir", "--prefix", "mine", *output]) == 1
    assert "KG401" in capsys.readouterr().err


def test_an_export_is_replaced_and_nothing_else_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(converted("dense"), tmp_path, "mine")
    export(converted("dense"), tmp_path, "mine")
    (tmp_path / "mine" / "notes.txt").write_text(json.dumps("mine"))
    net = str(tmp_path / "net")
    for output in ("mine", "net"):
        assert invoke(["export", net, "--to", "cpp", "-o", str(tmp_path / output)]) == 1
        assert "KG606" in capsys.readouterr().err
