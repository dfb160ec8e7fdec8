"""Write a network as a self-contained C++ program, which needs a compiler and nothing else."""

from __future__ import annotations

from kgenn.backends.base import Program
from kgenn.backends.cpp_connections import Links, value_type
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.neuron_models import ModelContext
from kgenn.backends.program_context import Context, network_context, write_program
from kgenn.backends.weights_file import Words
from kgenn.ir.network import Network, Population
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
PRODUCT = ("product.hpp", "product.cpp", "simd.hpp", "tiles.hpp")
RUNTIME = (*PRODUCT, "values.hpp", "connections.hpp", "neurons.hpp", "population.hpp", "direct.hpp")
FILES = ("network.cpp", "kgenn_network.h", *RUNTIME, "main.cpp", "CMakeLists.txt")
SOURCES = tuple(name for name in FILES if name not in ("main.cpp", "CMakeLists.txt"))


def emit_cpp(network: Network) -> Program:
    """Return the program."""
    words = Words()
    context = network_context(network, words, CPP, describe)
    context |= {
        "function": "inline",
        "geometries": [g for p in context["populations"] for g in p["geometries"]],
        "products": products_of(context["populations"]),
        "largest": {real: most for real in ("float", "double") if (most := largest_site(context, real))},
    }
    return write_program(context, network, words, {name: f"cpp/{name}.j2" for name in FILES})


def products_of(populations: list[Context]) -> list[tuple[str, str]]:
    """Return the types of values and of currents that the products of a network need."""
    events = [(c, p) for p in populations for c in p["events"]]
    return sorted({(c["value_type"], p["real"]) for c, p in events if c["has_product"]})


def largest_site(context: Context, real: str) -> int:
    """Return the neurons that update together, at most, of the populations with currents of a type; 0 for none."""
    return max((p["site"] for p in context["populations"] if p["real"] == real), default=0)


def describe(layout: Layout, population: Population, shared: Context, words: Words) -> Context:
    """Return what the C++ templates need besides of one population and the connections into it."""
    network, image, model = layout.network, shared["image"], shared["model"]
    links = Links(layout, population, words)
    flags = ", ".join(str(flag).lower() for flag in (model.valued, model.graded))
    # a steady current alone is read where it is; what a stage sends has heard what came before
    staged = network.code.staged
    alone = shared["has_constant"] if network.code.steady else staged and shared["spiking"]
    needs_current = bool(links.events) or not alone
    # the first products are the currents, where no constant is
    fresh = bool(links.events) and links.events[0]["has_product"] and (staged or not shared["has_constant"])
    current = "current + lane * site.size" if needs_current else "p.constant(s, site.first)"
    spikes = "p.values.at(site.y, lane, site.x)" if model.threshold else "nullptr"
    # what sends whole trains computes them in one go
    num_states = 0 if staged and model.threshold else len(model.state)
    places = shared["params_offset"], shared["drive_first"]
    return {
        "type": f"Population<{value_type(image)}, {model.real}, {num_states}, {flags}>",
        "extent": f"kExtent{shared['id'].removeprefix('p')}",
        "layout": image.numbers,
        "pixels": image.pixels,
        "site": image.pixels * image.shape[2],
        "direct": links.direct,
        "events": links.events,
        "stages": links.stages,
        "geometries": links.geometries,
        "needs_current": needs_current,
        "fresh": fresh,
        "update_call": update_call(model, *places, current, spikes),
        "staged_update": update_call(model, *places, "heard", "nullptr"),
    }


def update_call(model: ModelContext, params: int, first: int, current: str, spikes: str) -> str:
    """Return the call that updates the neurons of a site in one lane.

    Args:
        params: where the words have the parameters.
        first: an input's first value in a sample.
    """
    arguments = ["site.size", f"net.floats({params})"]
    arguments += [f"p.state({i}, s, site.first)" for i in range(len(model.state))]
    if model.uses_random:
        arguments += ["p.keys(s, site.first)", "time_key(static_cast<uint32_t>(t))"]
    if model.uses_external:
        place = f"{first} + site.first" if first else "site.first"
        arguments += [f"g.drive + static_cast<size_t>(s) * KGENN_NUM_INPUTS + {place}"]
    if model.uses_timestep:
        arguments += ["t"]
    return f"update_{model.function}({', '.join([*arguments, current, spikes])});"
