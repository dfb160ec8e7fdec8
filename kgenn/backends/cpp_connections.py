"""What a generated C++ program says of the connections into a population."""

from __future__ import annotations

from typing import Any

from kgenn.backends.cpp_layout import Image, Layout
from kgenn.backends.render import label
from kgenn.backends.weights_file import AxisTable, Words
from kgenn.ir.connectivity import Connectivity, Convolution, Dense, OneToOne, Sparse, SpikeSums, SumPool
from kgenn.ir.network import Connection, Population
from kgenn.ir.resampling import Resampling

# weights.bin holds words of these types.
GETTERS = {"start": "ints", "target": "ints", "weights": "floats"}
# Classes that compute products, whose sums can be set where there are no currents yet.
PRODUCTS = ("Convolution", "Dense")


class Links:
    """The connections into one population, as the templates need them.

    Attributes:
        layout: of the network.
        real: the C++ type of the population's currents.
        events: connections that carry spikes.
        direct: those that carry a constant current.
        stages: what runs before the events' weights.
        geometries: of convolutions, constants of the program.
    """

    def __init__(self, layout: Layout, population: Population, words: Words) -> None:
        network = layout.network
        self.layout = layout
        self.numbers = {p.name: i for i, p in enumerate(network.populations)}
        self.events: list[dict[str, Any]] = []
        self.direct: list[dict[str, str]] = []
        self.stages: list[dict[str, str | tuple[int, ...]]] = []
        self.geometries: list[dict[str, str]] = []
        self.real = layout.real_of(population)
        spiking = [c for c in network.connections if not network.is_analog(c)]
        for c in network.incoming[population.name]:
            offsets = words.add_synapses(c.connectivity)
            pointers = [f"{GETTERS[key]}({offset})" for key, offset in offsets.items()]
            number = network.connections.index(c)
            if isinstance(c.connectivity, Convolution):
                self.geometries.append({"name": f"kConvolution{number}", "value": geometry(c.connectivity)})
            axes = axis_maps(c.pool, words)
            if network.is_analog(c):
                first = network.drive_columns[c.source].start
                self.direct.append(
                    {"direct_call": direct_call(c, number, pointers, axes, first), "input": c.source}
                )
            else:
                self.events.append(self._event(c, number, spiking.index(c), pointers, axes))

    def _event(self, c: Connection, number: int, place: int, pointers: list[str], axes: str) -> dict[str, Any]:
        values = f"ws.p{self.numbers[c.source]}.values"
        extent = f"kExtent{self.numbers[c.source]}"
        image = self.layout.images[c.source]
        for step, stage in enumerate(self.layout.stages[c]):
            name = f"{number}_{step}"
            sent, given = value_type(image), value_type(stage.image)
            kind = f"{'Pool' if isinstance(stage.pool, SumPool) else 'Resampling'}<{sent}, {given}>"
            call = f"sum({values}, lanes{f', {axes}' if axes else ''})"
            if stage.pool is None:
                kind, call = f"View<{given}>", f"copy({values}, lanes)"
            extent = f"kExtentStage{name}"
            self.stages.append(
                {
                    "id": f"stage{name}",
                    "type": kind,
                    "extent": extent,
                    "layout": stage.image.numbers,
                    "label": f"from {label(c.source)}: {sums_in_words(stage.pool)}",
                    "arguments": ", ".join([extent, *window_of(stage.pool)]),
                    "call": f"ws.stage{name}.{call};",
                }
            )
            values, image = f"ws.stage{name}.values", stage.image
        return {
            "id": f"c{number}",
            "number": place,
            "label": f"from {label(c.source)}: {type(c.connectivity).__name__}",
            "type": f"{kind_of(c.connectivity)}<{value_type(image)}, {self.real}>",
            "value_type": value_type(image),
            "has_product": kind_of(c.connectivity) in PRODUCTS,
            "arguments": ", ".join(arguments(c, number, pointers, extent, self._most(image))),
            "source": values,
            "geometry": f"kConvolution{number}",
            "method": self._method(c),
        }

    def _most(self, image: Image) -> str:
        """Return the |value| that 32-bit sums must make room for: a single grid bounds those of a single step."""
        return f"{image.most}.0" if self.real == "double" else "1.0"

    def _method(self, c: Connection) -> str:
        """Return `add_all` for an image that is computed for a population that does not lie as an image."""
        conv = c.connectivity
        return (
            "add_all"
            if isinstance(conv, Convolution) and self.layout.shapes[c.target] != conv.out_shape
            else "add"
        )


def value_type(image: Image) -> str:
    """Return the C++ type of a value."""
    return "Spike" if image.alike else image.type


def kind_of(connectivity: Connectivity) -> str:
    """Return the C++ class of a connectivity."""
    if isinstance(connectivity, Convolution):
        depthwise = connectivity.groups == connectivity.in_shape[2] == connectivity.out_shape[2]
        return "Depthwise" if depthwise else "Convolution"
    return type(connectivity).__name__


def arguments(c: Connection, number: int, pointers: list[str], extent: str, most: str) -> list[str]:
    """Return what constructs a connection in the generated program."""
    match c.connectivity:
        case Convolution():
            return [*pointers, f"kConvolution{number}", extent, most]
        case Dense() as dense:
            return [*pointers, str(dense.num_targets), extent, most]
        case OneToOne() | Sparse():
            return pointers
    raise AssertionError(f"no C++ for {type(c.connectivity).__name__}")


def direct_call(c: Connection, number: int, pointers: list[str], axes: str, first: int) -> str:
    """Return the call that adds the constant current of a connection to `ws.total`.

    Args:
        axes: the maps of both axes, where the connection resamples.
        first: the input's first value in a sample.
    """
    drive = f"ws.drive.data() + {first}" if first else "ws.drive.data()"
    if c.pool is not None:
        images = ", ".join(f"Extent{{{', '.join(map(str, s))}}}" for s in (c.pool.in_shape, c.pool.out_shape))
        name, how = ("direct_resampling", [axes]) if axes else ("direct_pool", window_of(c.pool))
        drive = f"{name}({drive}, {images}, {', '.join(how)}, ws.pooled)"
    kind, arrays = c.connectivity, ", ".join(f"net.{p}" for p in pointers)
    match kind:
        case Convolution():
            return f"direct_convolution({drive}, {arrays}, kConvolution{number}, ws.total.data());"
        case Dense():
            return f"direct_dense({drive}, {arrays}, {kind.num_sources}, {kind.num_targets}, ws.total.data());"
        case OneToOne():
            return f"direct_one_to_one({drive}, {arrays}, {kind.num_sources}, ws.total.data());"
    return f"direct_sparse({drive}, {arrays}, {kind.num_sources}, ws.total.data());"


def geometry(conv: Convolution) -> str:
    """Return the members of a C++ Geometry."""
    images = [f"{{{', '.join(map(str, shape))}}}" for shape in (conv.in_shape, conv.out_shape)]
    pads = [before for before, _ in conv.pads]
    numbers = (*conv.weights.shape[:2], *conv.strides, *pads, *conv.dilation, conv.groups)
    return ", ".join([*images, *map(str, numbers)])


def sums_in_words(pool: SpikeSums | None) -> str:
    """Return what a stage gives, for comments."""
    if pool is None:
        return "in another shape"
    return "sums of windows" if isinstance(pool, SumPool) else "resampled"


def axis_maps(pool: SpikeSums | None, words: Words) -> str:
    """Return the AxisMaps of a resampling, which `words` get; nothing for other sums."""

    def axis(table: AxisTable) -> str:
        return f"AxisMap{{net.ints({table.start}), net.ints({table.taps}), {table.width}}}"

    return ", ".join(map(axis, words.add_axes(pool))) if isinstance(pool, Resampling) else ""


def window_of(pool: SpikeSums | None) -> list[str]:
    """Return a C++ Window, where sums are of windows."""
    return [window(pool)] if isinstance(pool, SumPool) else []


def window(pool: SumPool) -> str:
    """Return a C++ Window."""
    return f"Window{{{', '.join(map(str, (*pool.size, *pool.strides)))}}}"
