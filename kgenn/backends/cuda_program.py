"""Write a network as a self-contained CUDA program, which needs nvcc and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kgenn.backends.base import Program
from kgenn.backends.cpp_program import CPP
from kgenn.backends.cuda_connections import CudaDirect, CudaEvent, CudaGeometry, CudaStage, Links
from kgenn.backends.interface_schema import CUDA_STATUSES, READOUTS, Interface
from kgenn.backends.program_context import Parts, parts_of, program_of, write_program
from kgenn.backends.program_model import EmittedPopulation, EmittedProgram
from kgenn.ir.connectivity import Sparse
from kgenn.ir.network import Network
from kgenn.ir.spike_sums import Resampling

CUDA = replace(CPP, random="random24(key, key_of_time)")
RUNTIME = ("layers.cuh", "product.cuh", "tensor.cuh", "connections.cuh", "population.cuh", "device.cuh")
TEMPLATES = {
    "network.cu": "cuda/network.cu.j2",
    "kgenn_network.h": "cuda/kgenn_network.h.j2",
    **{name: f"cuda/{name}.j2" for name in RUNTIME},
    "neurons.hpp": "cpp/neurons.hpp.j2",
    "main.cpp": "cpp/main.cpp.j2",
    "CMakeLists.txt": "cuda/CMakeLists.txt.j2",
}
SOURCES = tuple(name for name in TEMPLATES if name not in ("main.cpp", "CMakeLists.txt"))


@dataclass(frozen=True)
class CudaPopulation:
    """A population that runs.

    Attributes:
        events, stages, directs: the connections into it.
        counter: the number of its counter of values that are not zero.
        fused: its currents need no room where tensor cores sum them.
        updated: what carries its spikes updates it, too.
        state_size: of a sample; 0 where nothing is kept from step to step.
        readout: how it is read; empty where it is not.
    """

    emitted: EmittedPopulation
    events: tuple[CudaEvent, ...]
    stages: tuple[CudaStage, ...]
    directs: tuple[CudaDirect, ...]
    counter: int
    fused: bool
    updated: bool
    state_size: int
    readout: str


@dataclass(frozen=True)
class CudaProgram:
    """A CUDA program: its populations and connections, and what every target needs.

    Attributes:
        interface: the schema that it shares with Python.
        function: how functions of headers are declared.
        current: the type of currents, which hold all sums exactly.
        block: timesteps that a population runs at once, at most.
        num_counters: of values that are not zero.
        uses_doubles, uses_indices: whether words of these types are read.
        largest_wide, largest_direct, largest_pooled, largest_input: the room that a lane or a sample needs for
            what populations use in turn, in values.
    """

    emitted: EmittedProgram
    interface: Interface
    function: str
    current: str
    block: int
    geometries: tuple[CudaGeometry, ...]
    populations: tuple[CudaPopulation, ...]
    events: tuple[CudaEvent, ...]
    num_counters: int
    any_direct: bool
    uses_doubles: bool
    uses_indices: bool
    largest_wide: int
    largest_direct: int
    largest_pooled: int
    largest_input: int


def emit_cuda(network: Network) -> Program:
    """Return the program."""
    parts = parts_of(network, CUDA)
    links = Links(parts)
    populations = tuple(cuda_population(parts, links, p) for p in parts.running)
    emitted = program_of(parts)
    events = tuple(c for p in populations for c in p.events)
    directs = [c for p in populations for c in p.directs]
    running = parts.running
    program = CudaProgram(
        emitted=emitted,
        interface=Interface(CUDA_STATUSES),
        function="__device__ inline",
        # a single grid's sums of a step fit into 32 bits in any order; those of a stage, or on a double grid, into
        # a double
        current="double" if any(p.real == "double" for p in running) else "int32_t",
        block=1 if emitted.staged else 32,
        geometries=tuple(links.geometries),
        populations=populations,
        events=events,
        num_counters=links.counters,
        any_direct=bool(directs),
        uses_doubles=any(p.reals == "doubles" and p.bias_offset is not None for p in running),
        uses_indices=any(
            isinstance(c.connectivity, Sparse) or isinstance(c.pool, Resampling) for c in network.connections
        ),
        largest_wide=max((c.sources for c in events if c.source_type == "int16_t"), default=0),
        largest_direct=max((p.emitted.size for p in populations if p.directs), default=0),
        largest_pooled=max((c.pooled for c in directs), default=0),
        largest_input=max(given.size for given in network.inputs),
    )
    return write_program(vars(emitted) | vars(program), network, parts.words, TEMPLATES)


def cuda_population(parts: Parts, links: Links, population: EmittedPopulation) -> CudaPopulation:
    """Return a population with the connections into it."""
    found, staged = links.into(population), parts.network.code.staged
    events = found.events
    # the currents of a single connection that carries bytes need no room where tensor cores sum them
    fused = len(events) == 1 and events[0].updates and events[0].source_type == "int8_t" and not staged
    return CudaPopulation(
        emitted=population,
        events=events,
        stages=found.stages,
        directs=found.directs,
        counter=links.places[population.name],
        fused=fused,
        updated=bool(events) and events[-1].updates and not staged,
        state_size=0 if staged else len(population.model.state) * population.size,
        readout=READOUTS[population.readout] if population.readout else "",
    )
