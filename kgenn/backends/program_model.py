"""What generated C++ and CUDA programs are made of: a value for each object, whose text templates write."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from kgenn.backends.cpp_layout import Image
from kgenn.backends.input_context import InputExpressions
from kgenn.backends.neuron_models import ModelContext
from kgenn.backends.output_context import OutputExpressions
from kgenn.backends.weights_file import AxisTable, SynapseTable, Words
from kgenn.ir.connectivity import Connectivity, Convolution
from kgenn.ir.graph import Shape
from kgenn.ir.network import ReadoutKind
from kgenn.ir.spike_code import CodeName
from kgenn.ir.spike_sums import Resampling, SpikeSums, SumPool


@dataclass(frozen=True)
class EmittedInput:
    """An input of a program.

    Attributes:
        name, label: its name, as it is and as it may stand in comments.
        first, size: which of a sample's values are its own.
        coding_offset: where the words have its coding.
        changing: a sample has a frame for each timestep.
        num_scales, scales_offset: how many rows of scales and shifts the words have, and where; 0 for none.
    """

    name: str
    label: str
    encoder: str
    first: int
    size: int
    coding_offset: int
    code: InputExpressions
    changing: bool
    num_scales: int = 0
    scales_offset: int = 0


@dataclass(frozen=True)
class EmittedOutput:
    """An output of a program.

    Attributes:
        first, size: which of the outputs of a sample are its own.
        first_score: the first of its scores.
        num_factors, factors_offset: how many scales of the readout the words have, and where; behind them stands
            what counts as 1 after the first step.
        growth: by how much more than that counts as 1 after so many `steps`, as code behind an expression.
    """

    label: str
    first: int
    size: int
    first_score: int
    num_factors: int
    factors_offset: int
    growth: str
    code: OutputExpressions


@dataclass(frozen=True)
class EmittedPopulation:
    """A population of a program, for any target.

    Attributes:
        id: an identifier.
        name: as the network has it.
        label, shape: its name and its shape, as they may stand in comments.
        silent: its neurons send nothing: they inject a constant current.
        maximum: it sends the largest value of a window, without neurons' code.
        real, reals: the type of its currents, and what reads such numbers from the words.
        first, last: its neurons among all that spike.
        first_score, first_drive: the first of its scores, and of its values in a sample.
    """

    id: str
    name: str
    label: str
    shape: str
    size: int
    image: Image
    model: ModelContext
    spiking: bool
    silent: bool
    maximum: bool
    real: str
    reals: str
    params_offset: int
    initial_offset: int
    potential_offset: int | None
    bias_offset: int | None
    has_constant: bool
    readout: ReadoutKind | None
    first_score: int
    first_drive: int
    first: int
    last: int


@dataclass(frozen=True)
class Geometry:
    """The shape of synapses, as that of a convolution.

    Attributes:
        source, target: images, (height, width, channels).
        numbers: the kernel, strides, zeros before the first row and column, dilations, and groups.
    """

    source: Shape
    target: Shape
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Sums:
    """Sums of values before weights.

    Attributes:
        window: height, width and strides.
        rows, columns: offsets of a map's starts and taps, and its width; of zeros where sums are of windows.
    """

    window: tuple[int, ...] = (0, 0, 0, 0)
    rows: tuple[int, ...] = (0, 0, 0)
    columns: tuple[int, ...] = (0, 0, 0)


@dataclass(frozen=True)
class EmittedConnection:
    """A connection that carries spikes, as the header lists it."""

    number: int
    label: str


@dataclass(frozen=True)
class EmittedProgram:
    """A program, for any target: what the header, the words and the host's code need.

    Attributes:
        num_connections: that carry spikes; 1 for none, for arrays.
        connections: in the order of their targets.
        steps, weights: of a stage, and the weight of a spike at each step; 0 and nothing without stages.
        drive_changes: a drive has a frame for each timestep.
        value_type: the type of the numbers that populations send.
        weight_note: what a neuron's spikes count together, for the header.
        tables, axes: what in the words must be checked before it is used.
        models: of neurons that run.
        spiking: the populations whose spikes are counted, in their order.
    """

    version: str
    title: str
    num_inputs: int
    num_outputs: int
    num_classes: int
    num_neurons: int
    num_connections: int
    connections: tuple[EmittedConnection, ...]
    staged: bool
    steady: bool
    drive_changes: bool
    code: CodeName
    steps: int
    weights: tuple[int, ...]
    value_type: str
    weight_note: str
    inputs: tuple[EmittedInput, ...]
    outputs: tuple[EmittedOutput, ...]
    counts_readout: bool
    num_words: int
    tables: tuple[SynapseTable, ...]
    axes: tuple[AxisTable, ...]
    models: tuple[ModelContext, ...]
    spiking: tuple[EmittedPopulation, ...]


def geometry_of(kind: Connectivity, source: Shape | None = None) -> Geometry:
    """Return the shape of synapses; all to all is a convolution whose only window is the source.

    Args:
        source: the image that is read, where it is not of the convolution's own shape.
    """
    if isinstance(kind, Convolution):
        pads = (before for before, _ in kind.pads)
        numbers = (*kind.weights.shape[:2], *kind.strides, *pads, *kind.dilation, kind.groups)
        return Geometry(kind.in_shape, kind.out_shape, numbers)
    image = source or (1, 1, kind.num_sources)
    assert prod(image) == kind.num_sources
    return Geometry(image, (1, 1, kind.num_targets), (*image[:2], 1, 1, 0, 0, 1, 1, 1))


def sums_of(pool: SpikeSums | None, words: Words) -> Sums:
    """Return how values are summed, adding the maps of a resampling to `words`."""
    if isinstance(pool, SumPool):
        return Sums(window=(*pool.size, *pool.strides))
    if isinstance(pool, Resampling):
        rows, columns = ((table.start, table.taps, table.width) for table in words.add_axes(pool))
        return Sums(rows=rows, columns=columns)
    return Sums()


def sums_in_words(pool: SpikeSums | None) -> str:
    """Return what a stage gives, for comments."""
    if pool is None:
        return "in another shape"
    return "sums of windows" if isinstance(pool, SumPool) else "resampled"
