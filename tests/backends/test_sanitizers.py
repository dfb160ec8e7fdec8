"""Generated C++ has no invalid access, no undefined behaviour, no data race and no warning, on any processor."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kgenn.backends.cpp_program import FILES
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.render import render
from kgenn.ir.network import Network
from processors import PROCESSORS, refusal
from programs import PLAIN, WARNINGS, emit
from recordings import EVERYTHING, METHODS, converted, drive_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++"),
]

DRIVER = Path(__file__).with_name("every_way.cpp")
ADDRESS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD = ("-fsanitize=thread",)
FIRST_SAMPLE = 2**31 - 2
NUM_RUNS = 9  # three ways with one to three threads
# (network, method, encoder): every kind of connection, neuron and stage
NETWORKS = (
    ("residual_shortcut", "data-norm", "poisson-signed"),
    ("concat_pool_conv", "few-spike", "few-spike-signed"),
    ("wide_33", "burst", "direct"),
)
# the vectors of each width, and the matrix unit
MACHINES = [name for name in ("portable", "avx2", "avx512", "amx") if not refusal(name)]


def network_of(name: str, method: str, encoder: str) -> Network:
    converter, lengths = METHODS[method]
    return converted(name, encoder, converter, num_timesteps=lengths[-1])


def compile_unit(unit: Path, made: Path, *flags: str) -> Path:
    command = ["g++", *PLAIN, "-g", *flags, "-c", "-o", str(made), str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return made


def assert_driver_gives_the_reference(
    program: Path, network: Network, directory: Path, encoder: str, count: int
) -> None:
    """Fail where a run of the driver departs from the reference, or the sanitizer says anything."""
    drive = np.ascontiguousarray(drive_of(network, encoder, count))
    (directory / "drive.f32").write_bytes(drive.tobytes())
    arguments = (directory / WEIGHTS, directory / "drive.f32", count, FIRST_SAMPLE, directory / "out")
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    expected = ReferenceSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING)
    kinds = (expected.spike_counts, expected.train_values, expected.raster)
    counts, train_values, raster = (np.concatenate(list((kind or {}).values()), axis=-1) for kind in kinds)
    totals = counts.sum(axis=0, dtype=np.int64)
    recorded = (expected.scores, counts, train_values, raster, totals, expected.scores, totals)
    run = b"".join(part.tobytes() for part in recorded)
    assert (directory / "out").read_bytes() == NUM_RUNS * run


def product(processor: str, directory: Path) -> Path:
    """Compile the products of a program for a processor under the sanitizers."""
    flags = (*WARNINGS, *ADDRESS, *PROCESSORS[processor][0])
    return compile_unit(directory / "product.cpp", directory / f"product-{processor}.o", *flags)


@pytest.mark.parametrize(("name", "method", "encoder"), NETWORKS)
def test_no_way_and_no_processor_reads_or_computes_what_it_must_not(
    tmp_path: Path, name: str, method: str, encoder: str
) -> None:
    network = network_of(name, method, encoder)
    directory = emit(network, tmp_path)
    include = f"-I{directory}"
    units = [
        compile_unit(unit, directory / f"{unit.stem}.o", *WARNINGS, *ADDRESS, include)
        for unit in (directory / "network.cpp", DRIVER)
    ]
    for processor in MACHINES:
        program = directory / f"run-{processor}"
        linked = [*map(str, units), str(product(processor, directory))]
        subprocess.run(["g++", "-pthread", *ADDRESS, "-o", str(program), *linked], check=True)
        # enough to fill the 32 lanes that run together, which are samples of a staged network, else timesteps
        assert_driver_gives_the_reference(program, network, directory, encoder, 33 if network.code.staged else 3)


@pytest.mark.parametrize(("name", "method", "encoder"), NETWORKS[:1])
def test_threads_share_nothing_without_a_lock(tmp_path: Path, name: str, method: str, encoder: str) -> None:
    network = network_of(name, method, encoder)
    directory = emit(network, tmp_path)
    sources = [directory / "network.cpp", directory / "product.cpp", DRIVER]
    program = directory / "run"
    command = ["g++", *PLAIN, "-g", *THREAD, f"-I{directory}", "-o", str(program), *map(str, sources)]
    subprocess.run(command, check=True)
    assert_driver_gives_the_reference(program, network, directory, encoder, 40)


def units_of(network: Network, directory: Path) -> list[Path]:
    emit(network, directory)
    return [directory / name for name in FILES if name.endswith(".cpp")]


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("method", METHODS)
def test_no_method_compiles_with_a_warning(tmp_path: Path, method: str, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    encoder = METHODS[method][0].default_encoder
    network_cpp, _, main_cpp = units_of(network_of("max_pool_skip", method, encoder), tmp_path)
    # optimised as the emitted CMakeLists.txt has it: some warnings need it
    for unit in (network_cpp, main_cpp):
        command = [compiler, "-std=c++17", "-O3", *WARNINGS, "-c", "-o", str(tmp_path / "unit.o"), str(unit)]
        subprocess.run(command, check=True)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("processor", ["portable", "avx2", "amx"])
def test_products_for_no_processor_compile_with_a_warning(tmp_path: Path, processor: str, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    emit(converted("dense"), tmp_path)
    unit, made = tmp_path / "product.cpp", tmp_path / "product.o"
    # of every kind, which no single network has
    kinds = itertools.product(("Spike", "int8_t", "int16_t", "int32_t"), ("float", "double"))
    unit.write_bytes(render("cpp/product.cpp.j2", {"products": list(kinds)}))
    flags = ("-std=c++17", "-O3", *WARNINGS, *PROCESSORS[processor][0])
    subprocess.run([compiler, *flags, "-c", "-o", str(made), str(unit)], check=True)
