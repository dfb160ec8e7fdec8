"""Write a network as a self-contained CUDA program, which needs nvcc and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kgenn.backends.base import Program
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.cpp_program import CPP
from kgenn.backends.cuda_connections import Links
from kgenn.backends.program_context import Context, network_context, write_program
from kgenn.backends.weights_file import Words
from kgenn.ir.connectivity import Sparse
from kgenn.ir.network import Network, Population
from kgenn.ir.resampling import Resampling

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


def emit_cuda(network: Network) -> Program:
    """Return the program."""
    words = Words()
    links = Links(Layout(network), words)

    def describe(layout: Layout, population: Population, shared: Context, words: Words) -> Context:
        found = links.into(population)
        events = found["events"]
        # the currents of a single connection that carries bytes need no room where tensor cores sum them
        alone = len(events) == 1 and events[0]["updates"] and events[0]["source_type"] == "int8_t"
        fused = alone and not network.code.staged
        return {**found, "fused": fused, "counter": links.numbers[population.name]}

    context = network_context(network, words, CUDA, describe)
    context |= {"function": "__device__ inline", "geometries": links.geometries, "num_counters": links.counters}
    # of a step, a single grid's sums fit into 32 bits in any order; of a stage, or on a double grid, into a double
    context["current"] = "double" if any(p["real"] == "double" for p in context["populations"]) else "int32_t"
    context["uses_indices"] = any(
        isinstance(c.connectivity, Sparse) or isinstance(c.pool, Resampling) for c in network.connections
    )
    context["largest_input"] = max(given.size for given in network.inputs)
    return write_program({**context, **sizes(context["populations"])}, network, words, TEMPLATES)


def sizes(populations: list[Context]) -> dict[str, int]:
    """Return the room that a lane or a sample needs for what populations use in turn, in values."""
    events = [c for p in populations for c in p["events"]]
    direct: list[dict[str, Any]] = [c for p in populations for c in p["direct"]]
    return {
        "largest_wide": max((c["sources"] for c in events if c["source_type"] == "int16_t"), default=0),
        "largest_direct": max((p["size"] for p in populations if p["direct"]), default=0),
        "largest_pooled": max((c["pooled"] for c in direct), default=0),
    }
