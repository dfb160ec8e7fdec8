"""Write a network as a self-contained C++ program, which needs a compiler and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from kgenn.backends.base import Program
from kgenn.backends.cpp_tables import (
    CppDirect,
    CppLink,
    CppPopulation,
    CppStage,
    Tables,
    products_of,
)
from kgenn.backends.interface_schema import CPP_STATUSES, Interface
from kgenn.backends.neuron_models import ModelContext
from kgenn.backends.program_context import parts_of, program_of, write_program
from kgenn.backends.program_model import EmittedProgram, Geometry
from kgenn.ir.network import Network
from kgenn.ir.neuron_code import Dialect

CPP = Dialect(
    functions={
        "abs": "std::fabs({0})",
        "min": "smaller({0}, {1})",
        "max": "larger({0}, {1})",
        "floor": "std::floor({0})",
        "sign": "sign({0})",
    },
    random="random24(keys[i], key_of_time)",
)
VECTORS = ("packed_rows.hpp", "row_sums.hpp", "currents.hpp", "bits.hpp", "simd.hpp")
PRODUCT = ("product.hpp", "product.cpp", "costs.hpp", *VECTORS, "tiles.hpp")
LAYERS = ("rows.hpp", "stages.hpp", "choice.hpp", "connections.hpp", "neurons.hpp", "population.hpp")
RUNTIME = (*PRODUCT, "values.hpp", *LAYERS, "stepped.hpp", "staged.hpp", "direct.hpp")
FILES = ("network.cpp", "kgenn_network.h", *RUNTIME, "main.cpp", "CMakeLists.txt")
SOURCES = tuple(name for name in FILES if name not in ("main.cpp", "CMakeLists.txt"))


@dataclass(frozen=True)
class CppModel:
    """A neuron model in C++.

    Attributes:
        code: its statements.
        value: the type of what it sends.
        stage_variable: the number of the state variable that takes the sum of a stage's currents, or 0.
    """

    code: ModelContext
    value: str
    stage_variable: int


@dataclass(frozen=True)
class CppProgram:
    """A C++ program: the tables that it walks, and what every target needs.

    Attributes:
        interface: the schema that it shares with Python.
        function: how functions of headers are declared.
        neurons: models that run step by step.
        senders: models that send whole spike trains.
        products: the types of values and currents that products are compiled for.
        largest_site: the neurons that update together, at most.
        largest_sum: the values of a drive's sums, at most.
    """

    emitted: EmittedProgram
    interface: Interface
    function: str
    neurons: tuple[CppModel, ...]
    senders: tuple[CppModel, ...]
    shapes: tuple[Geometry, ...]
    populations: tuple[CppPopulation, ...]
    stages: tuple[CppStage, ...]
    links: tuple[CppLink, ...]
    directs: tuple[CppDirect, ...]
    products: tuple[tuple[str, str], ...]
    largest_site: int
    largest_sum: int


def emit_cpp(network: Network) -> Program:
    """Return the program."""
    parts = parts_of(network, CPP)
    tables = Tables(parts)
    emitted = program_of(parts)
    models = [cpp_model(model, emitted) for model in emitted.models]
    sends = [emitted.staged and bool(model.code.threshold) for model in models]
    program = CppProgram(
        emitted=emitted,
        interface=Interface(CPP_STATUSES),
        function="inline",
        neurons=tuple(model for model, send in zip(models, sends, strict=True) if not send),
        senders=tuple(model for model, send in zip(models, sends, strict=True) if send),
        shapes=tuple(tables.shapes),
        populations=tuple(tables.populations),
        stages=tuple(tables.stages),
        links=tuple(tables.links),
        directs=tuple(tables.directs),
        products=products_of(tables.links),
        largest_site=max((p.site for p in tables.populations), default=1),
        largest_sum=max((prod(c.summed) for c in tables.directs), default=0),
    )
    templates = {name: f"cpp/{name}.j2" for name in FILES}
    return write_program(vars(emitted) | vars(program), network, parts.words, templates)


def cpp_model(model: ModelContext, program: EmittedProgram) -> CppModel:
    """Return a neuron model in C++."""
    value = program.value_type if program.staged or model.valued else "Spike"
    stage_variable = model.state.index("v") if program.staged and "v" in model.state else 0
    return CppModel(model, value, stage_variable)
