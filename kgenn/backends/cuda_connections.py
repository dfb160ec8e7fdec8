"""What a generated CUDA program says of the connections into a population."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from kgenn.backends.cpp_connections import GETTERS, axis_maps, geometry, sums_in_words, window_of
from kgenn.backends.cpp_layout import Image, Layout
from kgenn.backends.render import label
from kgenn.backends.weights_file import Words
from kgenn.ir.connectivity import Convolution, Dense, OneToOne, Sparse, SpikeSums
from kgenn.ir.graph import Shape
from kgenn.ir.network import Connection, Population


@dataclass
class Links:
    """The connections into all populations, in the order in which they are added.

    Attributes:
        layout: of the network.
        words: which get the weights.
        counters: the counters of values that are not zero so far, one for each population and each pool.
        geometries: of convolutions, constants of the program.
    """

    layout: Layout
    words: Words
    counters: int = 0
    geometries: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        network = self.layout.network
        self.counters = len(network.populations)
        self.spiking = [c for c in network.connections if not network.is_analog(c)]
        self.numbers = {p.name: i for i, p in enumerate(network.populations)}

    def into(self, population: Population) -> dict[str, Any]:
        """Return the events, pools and direct currents of a population."""
        network = self.layout.network
        found: dict[str, list[dict[str, Any]]] = {"events": [], "stages": [], "direct": []}
        for c in network.incoming[population.name]:
            offsets = self.words.add_synapses(c.connectivity)
            if isinstance(c.connectivity, Convolution | Dense):
                self.geometries.append({"name": self.geometry(c), "value": geometry(as_convolution(c))})
            if network.is_analog(c):
                found["direct"].append(self._direct(c, offsets))
            else:
                self._event(c, offsets, found)
        return found

    def geometry(self, c: Connection) -> str:
        """Return the name of a convolution's constant."""
        return f"kConvolution{self.layout.network.connections.index(c)}"

    def _event(self, c: Connection, offsets: dict[str, int], found: dict[str, list[dict[str, Any]]]) -> None:
        source = self.numbers[c.source]
        image, values, counter = self.layout.images[c.source], f"ws.p{source}.data()", source
        number = self.layout.network.connections.index(c)
        for stage in self.layout.stages[c]:
            if stage.pool is not None:
                name, counter = f"pooled{number}", self.counters
                self.counters += 1
                types, places = (image.type, stage.image.type), (values, f"ws.{name}.data()")
                call = self.sums(stage.pool, types, places, "g.lanes()", counter)
                found["stages"].append(
                    {
                        "id": name,
                        "type": stage.image.type,
                        "size": prod(stage.image.shape),
                        "label": f"from {label(c.source)}: {sums_in_words(stage.pool)}",
                        "call": call,
                    }
                )
                values = f"ws.{name}.data()"
            # another shape is the same values here, where images have no borders
            image = replace(stage.image, borders=image.borders)
        kind = "Convolution" if isinstance(c.connectivity, Dense) else type(c.connectivity).__name__
        found["events"].append(
            {
                "id": f"c{number}",
                "number": self.spiking.index(c),
                "label": f"from {label(c.source)}: {type(c.connectivity).__name__}",
                "type": f"{kind}<{image.type}, Current>",
                "arguments": self._arguments(c, offsets, image),
                "source": values,
                "source_type": image.type,
                "sources": prod(image.shape),
                "counter": counter,
                "geometry": self.geometry(c),
                "updates": kind == "Convolution",
            }
        )

    def _arguments(self, c: Connection, offsets: dict[str, int], image: Image) -> str:
        """Return what constructs a connection."""
        pointers = [f"{GETTERS[key]}({offset})" for key, offset in offsets.items()]
        match c.connectivity:
            case Convolution() | Dense():
                host = f"on_host(host, {offsets['weights']})"
                return ", ".join([host, *pointers, self.geometry(c), f"{image.most}.0", "tensor_cores"])
            case OneToOne() as one:
                return ", ".join([*pointers, str(one.num_sources)])
            case Sparse() as sparse:
                return ", ".join([*pointers, str(sparse.num_sources), str(sparse.num_targets)])
        raise AssertionError(f"no CUDA for {type(c.connectivity).__name__}")

    def _direct(self, c: Connection, offsets: dict[str, int]) -> dict[str, Any]:
        """Return the calls that add the constant current of a connection to `ws.total`."""
        pointers = ", ".join(f"net.{GETTERS[key]}({offset})" for key, offset in offsets.items())
        drive, take = self._drive(c)
        real, pool, pooled = "float", "", 0
        if c.pool is not None:
            places = (drive, "ws.pooled.data()")
            # the counter of the input, which no connection reads where it is analog
            pool = self.sums(c.pool, ("float", "double"), places, "g.samples", self.numbers[c.source])
            drive, real, pooled = places[1], "double", prod(c.pool.out_shape)
        kind, kernel, threads, numbers = c.connectivity, "add_sparse", c.connectivity.num_sources, ""
        match kind:
            case Convolution() | Dense():
                kernel, threads, numbers = "convolve", kind.num_targets, self.geometry(c)
            case OneToOne():
                kernel, numbers = "add_one_to_one", str(threads)
            case _:
                numbers = f"{threads}, {kind.num_targets}"
        arguments = f"{drive}, {pointers}, {numbers}, ws.total.data()"
        call = f"launch_for(g.samples, {threads}, {kernel}<{real}, double>, {arguments});"
        return {"call": call, "take_call": take, "pool_call": pool, "pooled": pooled, "input": c.source}

    def _drive(self, c: Connection) -> tuple[str, str]:
        """Return where the drive of a connection's input is, and the call that brings it there, or nothing."""
        network = self.layout.network
        if len(network.inputs) == 1:
            return "ws.drive.data()", ""
        first, size = network.drive_columns[c.source].start, network.input_of[c.source].size
        numbers = f"KGENN_NUM_INPUTS, {first}, {size}"
        take = f"launch_for(g.samples, {size}, take_input, ws.drive.data(), {numbers}, ws.own_drive.data());"
        return "ws.own_drive.data()", take

    def sums(
        self, pool: SpikeSums, types: tuple[str, str], places: tuple[str, str], lanes: str, counter: int
    ) -> str:
        """Return the call that sums values.

        Args:
            types, places: of the values and of the sums.
            lanes: how many.
            counter: the number of the counter of sums that are not zero.
        """
        axes = axis_maps(pool, self.words)
        name, how = ("resample", axes) if axes else ("add_windows", ", ".join(window_of(pool)))
        shapes = ", ".join([extent(pool.in_shape), extent(pool.out_shape), how])
        arguments = f"{places[0]}, {shapes}, {lanes}, {places[1]}, ws.active.data() + {counter}"
        return f"{name}<{', '.join(types)}>({arguments});"


def as_convolution(c: Connection) -> Convolution:
    """Return a connection's synapses as a convolution: all to all is one from a single pixel to another."""
    kind = c.connectivity
    if isinstance(kind, Convolution):
        return kind
    source, target = (1, 1, kind.num_sources), (1, 1, kind.num_targets)
    taps = kind.weights.reshape(1, 1, *kind.weights.shape)
    return Convolution(taps, source, target, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)


def extent(shape: Shape) -> str:
    """Return a CUDA Extent."""
    return f"Extent{{{', '.join(map(str, shape))}}}"
