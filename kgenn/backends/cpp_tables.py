"""The rows of the tables that a generated C++ program walks: populations, stages and connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kgenn.backends.cpp_layout import Image
from kgenn.backends.interface_schema import READOUTS
from kgenn.backends.program_context import Parts, connection_label
from kgenn.backends.program_model import EmittedPopulation, Geometry, Sums, geometry_of, sums_in_words, sums_of
from kgenn.backends.render import label
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Shape
from kgenn.ir.network import Connection
from kgenn.ir.spike_sums import SpikeSums, SumPool

# The C++ class of each connectivity. All to all is a convolution whose only window is the source.
CLASSES: dict[type[Connectivity], str] = {
    Convolution: "Convolution",
    DenseConnectivity: "Convolution",
    OneToOne: "OneToOne",
    Sparse: "Sparse",
}
DEPTHWISE = "Depthwise"
# The class that computes products, whose sums can be set where there are no currents yet.
PRODUCT = "Convolution"
# The function that adds the constant current of each connectivity.
DIRECT: dict[type[Connectivity], str] = {
    Convolution: "direct_convolution",
    DenseConnectivity: "direct_convolution",
    OneToOne: "direct_one_to_one",
    Sparse: "direct_sparse",
}


@dataclass(frozen=True)
class CppStage:
    """A step between what a population sends and synapses: a StageRow.

    Attributes:
        number: behind all populations.
        type: the C++ class.
        source: the number of what it reads.
        layout: of the image that it gives.
    """

    number: int
    type: str
    source: int
    layout: tuple[int, ...]
    sums: Sums
    label: str


@dataclass(frozen=True)
class CppLink:
    """A connection that carries spikes: a LinkRow.

    Attributes:
        value, real: the C++ types of the values that it reads, and of the currents that it adds to.
        source, number, weights, start, target: as LinkRow has them.
        shape: the number of its geometry.
        largest: the largest |value| that sums must make room for.
        whole: the target does not lie as the image that is computed.
    """

    kind: str
    value: str
    real: str
    source: int
    number: int
    weights: int
    start: int
    target: int
    shape: int
    largest: int
    whole: bool
    label: str

    @property
    def type(self) -> str:
        """Return the C++ class."""
        return f"{self.kind}<{self.value}, {self.real}>"

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the members that are plain numbers, in their order."""
        return (self.source, self.number, self.weights, self.start, self.target)


@dataclass(frozen=True)
class CppDirect:
    """A connection that carries a constant current: a DirectRow.

    Attributes:
        add, sum: C++ functions; nullptr for no sums.
        numbers: target, first, coding, weights, start and index, as DirectRow has them.
        given, summed: images before and after the sums.
    """

    add: str
    sum: str
    numbers: tuple[int, ...]
    shape: int
    given: Shape
    summed: Shape
    sums: Sums
    label: str


@dataclass(frozen=True)
class CppPopulation:
    """A population that runs: a PopulationRow.

    Attributes:
        type: the C++ class.
        site: the neurons that update together, at most.
        links, stages: rows of the tables, which are those of no other population.
        direct: inputs add to its constant current.
        changing: that current changes with time.
    """

    emitted: EmittedPopulation
    type: str
    site: int
    links: tuple[CppLink, ...]
    stages: tuple[CppStage, ...]
    first_link: int
    first_stage: int
    needs_current: bool
    fresh: bool
    direct: bool
    changing: bool

    @property
    def members(self) -> tuple[int | str, ...]:
        """Return the members of the row behind the extent."""
        p = self.emitted
        words = (p.params_offset, p.initial_offset, p.potential_offset or 0, p.bias_offset or 0)
        places = (p.first, p.first_drive, p.first_score, *words)
        rows = (self.first_link, len(self.links), self.first_stage, len(self.stages))
        flags = (p.has_constant, self.needs_current, self.fresh, self.direct, self.changing)
        return (
            p.image.pixels,
            *places,
            *rows,
            f"Readout::{READOUTS[p.readout]}",
            *(str(flag).lower() for flag in flags),
        )


@dataclass
class Tables:
    """The rows in the making.

    Attributes:
        parts: the network.
        shapes: distinct geometries, by their number.
    """

    parts: Parts
    shapes: list[Geometry] = field(default_factory=list)
    populations: list[CppPopulation] = field(default_factory=list)
    stages: list[CppStage] = field(default_factory=list)
    links: list[CppLink] = field(default_factory=list)
    directs: list[CppDirect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = {p.name: number for number, p in enumerate(self.parts.running)}
        self.known: dict[Geometry, int] = {}
        for population in self.parts.running:
            self._add(population)

    def _add(self, population: EmittedPopulation) -> None:
        first_link, first_stage = len(self.links), len(self.stages)
        for c in self.parts.into(population, analog=False):
            self.links.append(self._link(c, population))
        analog = self.parts.into(population, analog=True)
        self.directs += map(self._direct, analog)
        links, code = self.links[first_link:], self.parts.network.code
        # a steady current alone is read where it is; what a stage sends has heard what came before
        alone = population.has_constant if code.steady else code.staged and population.spiking
        # the first products are the currents, where no constant is
        fresh = bool(links) and links[0].kind == PRODUCT and (code.staged or not population.has_constant)
        row = CppPopulation(
            emitted=population,
            type=layer_class(population, code.staged, code.steady),
            site=population.image.pixels * population.image.shape[2],
            links=tuple(links),
            stages=tuple(self.stages[first_stage:]),
            first_link=first_link,
            first_stage=first_stage,
            needs_current=bool(links) or not alone,
            fresh=fresh,
            direct=bool(analog),
            changing=any(self.parts.network.input_of[c.source].changing for c in analog),
        )
        self.populations.append(row)

    def _link(self, c: Connection, population: EmittedPopulation) -> CppLink:
        image, source = self.parts.layout.images[c.source], self.places[c.source]
        for stage in self.parts.layout.stages[c]:
            row = CppStage(
                number=len(self.parts.running) + len(self.stages),
                type=stage_class(stage.pool, image, stage.image),
                source=source,
                layout=stage.image.numbers,
                sums=sums_of(stage.pool, self.parts.words),
                label=f"from {label(c.source)}: {sums_in_words(stage.pool)}",
            )
            self.stages.append(row)
            image, source = stage.image, row.number
        offsets, kind = self.parts.offsets[c], c.connectivity
        return CppLink(
            kind=class_of(kind),
            value=value_type(image),
            real=population.real,
            source=source,
            number=self.parts.numbers[c],
            weights=offsets["weights"],
            start=offsets.get("start", 0),
            target=offsets.get("target", 0),
            shape=self._shape(geometry_of(kind, image.shape if isinstance(kind, DenseConnectivity) else None)),
            # a single grid bounds the sums of a single step
            largest=image.largest if population.real == "double" else 1,
            whole=isinstance(kind, Convolution) and population.image.shape != kind.out_shape,
            label=connection_label(c),
        )

    def _direct(self, c: Connection) -> CppDirect:
        offsets, kind = self.parts.offsets[c], c.connectivity
        source = next(i for i in self.parts.inputs if i.name == c.source)
        given: Shape = (1, 1, kind.num_sources)
        summed = given
        if c.pool is not None:
            given, summed = c.pool.in_shape, c.pool.out_shape
        places = (self.places[c.target], source.first, source.coding_offset)
        arrays = (offsets["weights"], offsets.get("start", 0), offsets.get("target", 0))
        return CppDirect(
            add=DIRECT[type(kind)],
            sum=direct_sum(c.pool),
            numbers=(*places, *arrays),
            shape=self._shape(geometry_of(kind)),
            given=given,
            summed=summed,
            sums=sums_of(c.pool, self.parts.words),
            label=connection_label(c),
        )

    def _shape(self, geometry: Geometry) -> int:
        """Return the number of a geometry."""
        number = self.known.setdefault(geometry, len(self.shapes))
        if number == len(self.shapes):
            self.shapes.append(geometry)
        return number


def value_type(image: Image) -> str:
    """Return the C++ type of a value."""
    return "Spike" if image.alike else image.type


def class_of(connectivity: Connectivity) -> str:
    """Return the C++ class of a connectivity."""
    conv = connectivity if isinstance(connectivity, Convolution) else None
    if conv is not None and conv.groups == conv.in_shape[2] == conv.out_shape[2]:
        return DEPTHWISE
    return CLASSES[type(connectivity)]


def layer_class(population: EmittedPopulation, staged: bool, steady: bool) -> str:
    """Return the C++ class of a population."""
    if population.maximum:
        return f"Largest<{population.image.type}, Train>"
    function = population.model.function
    if staged:
        return f"Sender<{function}, Train>" if population.spiking else f"Listener<{function}>"
    return f"Stepped<{function}, {str(steady).lower()}>"


def stage_class(pool: SpikeSums | None, source: Image, given: Image) -> str:
    """Return the C++ class of a stage."""
    if pool is None:
        return f"View<{value_type(given)}>"
    kind = "Pool" if isinstance(pool, SumPool) else "Resampling"
    return f"{kind}<{value_type(source)}, {value_type(given)}>"


def direct_sum(pool: SpikeSums | None) -> str:
    """Return the C++ function that sums a drive before its weights."""
    if pool is None:
        return "nullptr"
    return "direct_pool" if isinstance(pool, SumPool) else "direct_resampling"


def products_of(links: Sequence[CppLink]) -> tuple[tuple[str, str], ...]:
    """Return the types of values and of currents that the products of a network need."""
    return tuple(sorted({(link.value, link.real) for link in links if link.kind == PRODUCT}))
