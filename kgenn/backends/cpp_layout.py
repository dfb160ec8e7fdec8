"""Decide how a generated C++ program holds what populations send: images with borders, and stages between them.

A population's values are an image in memory, (height, width, channels), with a border of zeros as wide as the
convolutions that read it reach. What reads another shape, or sums of windows, gets a stage of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne
from kgenn.ir.graph import Shape
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.spike_sums import SpikeSums

# Neurons that update together: enough to use each weight for several pixels while it is in the first cache, few
# enough for their currents to stay in the second.
MAX_AT_ONCE = 512
Borders = tuple[int, int, int, int]
NO_BORDERS: Borders = (0, 0, 0, 0)


@dataclass(frozen=True)
class Image:
    """An image of values.

    Attributes:
        shape: (height, width, channels).
        borders: zeros above, below, left and right.
        largest: the largest |value|.
        alike: whether the values are unit spikes.
    """

    shape: Shape
    borders: Borders
    largest: int
    alike: bool = False

    @property
    def type(self) -> str:
        """Return the C++ type of the number that a value is."""
        return next(
            (name for name, largest in (("int8_t", 127), ("int16_t", 32767)) if self.largest <= largest), "int32_t"
        )

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the members of the C++ extent."""
        return (*self.shape, *self.borders)

    @property
    def pixels(self) -> int:
        """Return how many neighbouring pixels update together: a divisor of the width."""
        _, width, channels = self.shape
        return max(d for d in range(1, width + 1) if width % d == 0 and (d == 1 or d * channels <= MAX_AT_ONCE))


@dataclass(frozen=True)
class Stage:
    """A step between a population's values and a connection: sums, or the same values in another shape."""

    image: Image
    pool: SpikeSums | None = None


class Layout:
    """The images of all populations of a network, and the stages of its connections.

    Attributes:
        images: by population.
        stages: of each connection that carries spikes.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.shapes = {p.name: image_shape(network, p) for p in network.populations}
        self.stages: dict[Connection, tuple[Stage, ...]] = {}
        borders: dict[str, list[Borders]] = {p.name: [NO_BORDERS] for p in network.populations}
        for c in network.connections:
            if network.is_analog(c):
                continue
            self.stages[c] = self._stages(c)
            if not self.stages[c]:
                borders[c.source].append(borders_of(c.connectivity))
        self.images = {p.name: self._image(p, _widest(borders[p.name])) for p in network.populations}

    def real_of(self, population: Population) -> str:
        """Return the C++ type of a population's currents; the sums of a whole stage can need more than float32."""
        return "double" if self.network.code.staged or population.neuron.precision == "double" else "float"

    def _image(self, population: Population, borders: Borders) -> Image:
        largest, alike = largest_value(self.network, population), sends_alike(self.network, population)
        return Image(self.shapes[population.name], borders, largest, alike)

    def _stages(self, c: Connection) -> tuple[Stage, ...]:
        source = self.network.by_name[c.source]
        image = self._image(source, NO_BORDERS)
        expected = self._expected_shape(c)
        stages: list[Stage] = []
        if c.pool is not None:
            if image.shape != c.pool.in_shape:
                stages.append(Stage(replace(image, shape=c.pool.in_shape)))
            image = Image(c.pool.out_shape, NO_BORDERS, image.largest * c.pool.largest)
            stages.append(Stage(image, c.pool))
        if expected is not None and image.shape != expected:
            stages.append(Stage(replace(image, shape=expected)))
        if stages:
            last = stages[-1]
            stages[-1] = Stage(replace(last.image, borders=borders_of(c.connectivity)), last.pool)
        return tuple(stages)

    def _expected_shape(self, c: Connection) -> Shape | None:
        """Return the shape that a connection must read, or None for any."""
        match c.connectivity:
            case Convolution() as conv:
                return conv.in_shape
            case OneToOne():
                return self.shapes[c.target]
            case DenseConnectivity():
                return None
        return (1, 1, c.connectivity.num_sources)


def image_shape(network: Network, population: Population) -> Shape:
    """Return the shape in which a population's values lie: that of the convolutions into it, if they agree."""
    into = network.incoming[population.name]
    spiking = [c.connectivity for c in into if not network.is_analog(c)]
    flat = (1, 1, population.size)
    if any(not isinstance(kind, Convolution | OneToOne) for kind in spiking):
        return flat
    shapes = _out_shapes(spiking) or _out_shapes([c.connectivity for c in into])
    if len(shapes) > 1:
        return flat
    return shapes.pop() if shapes else next(_shapes_read(network, population), flat)


def _out_shapes(kinds: list[Connectivity]) -> set[Shape]:
    return {kind.out_shape for kind in kinds if isinstance(kind, Convolution)}


def _shapes_read(network: Network, population: Population) -> Iterator[Shape]:
    for c in network.connections:
        if c.source == population.name and c.pool is not None:
            yield c.pool.in_shape
        elif c.source == population.name and isinstance(c.connectivity, Convolution):
            yield c.connectivity.in_shape


def borders_of(connectivity: Connectivity) -> Borders:
    """Return how far a connectivity reaches beyond its source's edges."""
    if not isinstance(connectivity, Convolution):
        return NO_BORDERS
    before, after = [], []
    for axis in (0, 1):
        reach = (connectivity.out_shape[axis] - 1) * connectivity.strides[axis]
        reach += (connectivity.weights.shape[axis] - 1) * connectivity.dilation[axis]
        before.append(connectivity.pads[axis][0])
        after.append(max(0, reach - before[axis] - connectivity.in_shape[axis] + 1))
    return (before[0], after[0], before[1], after[1])


def largest_value(network: Network, population: Population) -> int:
    """Return the largest |value| that a population can send: in a step, or in a stage of a staged network."""
    if network.code.staged:
        return network.levels
    return 127 if population.neuron.valued else 1


def sends_alike(network: Network, population: Population) -> bool:
    """Return whether all that a population sends in a step is unit spikes."""
    return not network.code.staged and not population.neuron.valued


def _widest(borders: list[Borders]) -> Borders:
    top, bottom, left, right = (max(b[i] for b in borders) for i in range(4))
    return (top, bottom, left, right)
