"""What a generated CUDA program holds of the connections into a population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from kgenn.backends.program_context import Parts, connection_label
from kgenn.backends.program_model import EmittedPopulation, Geometry, geometry_of, sums_in_words, sums_of
from kgenn.backends.render import label
from kgenn.ir.connectivity import Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Shape
from kgenn.ir.network import Connection
from kgenn.ir.spike_sums import SpikeSums, SumPool

# weights.bin holds words of these types.
GETTERS = {"start": "ints", "target": "ints", "weights": "floats"}


@dataclass(frozen=True)
class CudaStage:
    """Sums of what a population sends, before weights: an array of the workspace, and the call that fills it."""

    id: str
    type: str
    size: int
    label: str
    call: str


@dataclass(frozen=True)
class CudaEvent:
    """A connection that carries spikes.

    Attributes:
        number: among those that carry spikes.
        type, arguments: what constructs it.
        source, source_type, sources: what it reads: an expression, the type of the values, and how many there are.
        counter: the number of the counter of what it reads that is not zero.
        geometry: the name of its constant.
        updates: whether it can update its target too.
    """

    id: str
    number: int
    label: str
    type: str
    arguments: str
    source: str
    source_type: str
    sources: int
    counter: int
    geometry: str
    updates: bool


@dataclass(frozen=True)
class CudaDirect:
    """A connection that carries a constant current.

    Attributes:
        take, sum, add: calls that bring the drive of its input, sum it, and add the currents; empty for none.
        pooled: how many sums there are.
        coding_offset: where the words have its input's coding.
    """

    take: str
    sum: str
    add: str
    pooled: int
    coding_offset: int


@dataclass(frozen=True)
class CudaGeometry:
    """A constant of the program: the shape of a convolution."""

    name: str
    value: Geometry


@dataclass(frozen=True)
class CudaLinks:
    """The connections into a population."""

    events: tuple[CudaEvent, ...]
    stages: tuple[CudaStage, ...]
    directs: tuple[CudaDirect, ...]


@dataclass
class Links:
    """The connections into all populations, in the order in which they are added.

    Attributes:
        parts: the network.
        counters: the counters of values that are not zero so far, one for each population and each pool.
        geometries: of convolutions.
    """

    parts: Parts
    counters: int = 0
    geometries: list[CudaGeometry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counters = len(self.parts.populations)
        self.places = {p.name: i for i, p in enumerate(self.parts.populations)}
        self.numbers = {c: i for i, c in enumerate(self.parts.network.connections)}
        self.names = {c: f"kConvolution{i}" for c, i in self.numbers.items()}

    def into(self, population: EmittedPopulation) -> CudaLinks:
        """Return the events, pools and direct currents of a population."""
        events, stages = [], []
        for c in self.parts.into(population, analog=False):
            self._add_geometry(c)
            event, own = self._event(c)
            events.append(event)
            stages += own
        analog = self.parts.into(population, analog=True)
        for c in analog:
            self._add_geometry(c)
        return CudaLinks(tuple(events), tuple(stages), tuple(map(self._direct, analog)))

    def _add_geometry(self, c: Connection) -> None:
        if isinstance(c.connectivity, Convolution | DenseConnectivity):
            self.geometries.append(CudaGeometry(self.names[c], geometry_of(c.connectivity)))

    def _event(self, c: Connection) -> tuple[CudaEvent, list[CudaStage]]:
        counter = self.places[c.source]
        image, values = self.parts.layout.images[c.source], f"ws.p{counter}.data()"
        number = self.numbers[c]
        stages: list[CudaStage] = []
        # another shape is the same values here, where images have no borders
        for stage in self.parts.layout.stages[c]:
            if stage.pool is not None:
                name, counter = f"pooled{number}", self.counters
                self.counters += 1
                types, places = (image.type, stage.image.type), (values, f"ws.{name}.data()")
                call = self._sum(stage.pool, types, places, "g.lanes()", counter)
                what = f"from {label(c.source)}: {sums_in_words(stage.pool)}"
                stages.append(CudaStage(name, stage.image.type, prod(stage.image.shape), what, call))
                values = places[1]
            image = stage.image
        kind = "Convolution" if isinstance(c.connectivity, DenseConnectivity) else c.connectivity.kind
        event = CudaEvent(
            id=f"c{number}",
            number=self.parts.numbers[c],
            label=connection_label(c),
            type=f"{kind}<{image.type}, Current>",
            arguments=self._arguments(c, image.largest),
            source=values,
            source_type=image.type,
            sources=prod(image.shape),
            counter=counter,
            geometry=self.names[c],
            updates=kind == "Convolution",
        )
        return event, stages

    def _arguments(self, c: Connection, largest: int) -> str:
        """Return what constructs a connection."""
        offsets = self.parts.offsets[c]
        pointers = list(pointers_of(offsets))
        match c.connectivity:
            case Convolution() | DenseConnectivity():
                host = f"on_host(host, {offsets['weights']})"
                return ", ".join([host, *pointers, self.names[c], f"{largest}.0", "tensor_cores"])
            case OneToOne() as one:
                return ", ".join([*pointers, str(one.num_sources)])
            case Sparse() as sparse:
                return ", ".join([*pointers, str(sparse.num_sources), str(sparse.num_targets)])
        raise AssertionError(f"no CUDA for {type(c.connectivity).__name__}")

    def _direct(self, c: Connection) -> CudaDirect:
        """Return the calls that add the constant current of a connection to `ws.total`."""
        pointers = ", ".join(f"net.{pointer}" for pointer in pointers_of(self.parts.offsets[c]))
        given = next(i for i in self.parts.inputs if i.name == c.source)
        drive, take = self._drive(given.first, given.size)
        real, pool, pooled = "float", "", 0
        if c.pool is not None:
            places = (drive, "ws.pooled.data()")
            # the counter of the input, which no connection reads where it is analog
            pool = self._sum(c.pool, ("float", "double"), places, "g.rows()", self.places[c.source])
            drive, real, pooled = places[1], "double", prod(c.pool.out_shape)
        kind, kernel, threads, numbers = c.connectivity, "add_sparse", c.connectivity.num_sources, ""
        match kind:
            case Convolution() | DenseConnectivity():
                kernel, threads, numbers = "convolve", kind.num_targets, self.names[c]
            case OneToOne():
                kernel, numbers = "add_one_to_one", str(threads)
            case _:
                numbers = f"{threads}, {kind.num_targets}"
        arguments = f"{drive}, {pointers}, {numbers}, ws.total.data()"
        call = f"launch_for(g.rows(), {threads}, {kernel}<{real}, double>, {arguments});"
        return CudaDirect(take, pool, call, pooled, given.coding_offset)

    def _drive(self, first: int, size: int) -> tuple[str, str]:
        """Return where the drive of an input is, and the call that brings it there, or nothing."""
        if len(self.parts.inputs) == 1:
            return "ws.drive.data()", ""
        numbers = f"KGENN_NUM_INPUTS, {first}, {size}"
        take = f"launch_for(g.rows(), {size}, take_input, ws.drive.data(), {numbers}, ws.own_drive.data());"
        return "ws.own_drive.data()", take

    def _sum(
        self, pool: SpikeSums, types: tuple[str, str], places: tuple[str, str], lanes: str, counter: int
    ) -> str:
        """Return the call that sums values.

        Args:
            types, places: of the values and of the sums.
            lanes: how many.
            counter: the number of the counter of sums that are not zero.
        """
        sums = sums_of(pool, self.parts.words)
        name, how = "add_windows", f"Window{{{numbers_of(sums.window)}}}"
        if not isinstance(pool, SumPool):
            name, how = "resample", ", ".join(map(axis_map, (sums.rows, sums.columns)))
        shapes = ", ".join([extent(pool.in_shape), extent(pool.out_shape), how])
        arguments = f"{places[0]}, {shapes}, {lanes}, {places[1]}, ws.active.data() + {counter}"
        return f"{name}<{', '.join(types)}>({arguments});"


def pointers_of(offsets: Mapping[str, int]) -> tuple[str, ...]:
    """Return expressions of a connection's arrays."""
    return tuple(f"{GETTERS[key]}({offset})" for key, offset in offsets.items())


def axis_map(place: tuple[int, ...]) -> str:
    """Return an AxisMap from the offsets of its starts and taps, and its width."""
    start, taps, width = place
    return f"AxisMap{{net.ints({start}), net.ints({taps}), {width}}}"


def extent(shape: Shape) -> str:
    """Return a CUDA Extent."""
    return f"Extent{{{numbers_of(shape)}}}"


def numbers_of(numbers: tuple[int, ...]) -> str:
    """Return numbers as members of a structure."""
    return ", ".join(map(str, numbers))
