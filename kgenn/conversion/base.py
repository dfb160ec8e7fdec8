"""What every converter is: rules for the scale of each population, and the neurons it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from kgenn.citations import Citation
from kgenn.config import check_types, whole
from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Array, Graph, Layer, Node
from kgenn.ir.network import DEFAULT_READOUT, Network, ReadoutKind
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.ir.samples import Samples, SamplesLike
from kgenn.ir.spike_code import MAX_STEPS, CodeName

# Return the value of a key: what an earlier conversion of the same model computed on the same samples, or what the
# function given computes.
Memoise = Callable[[Hashable, Callable[[], Any]], Any]
# Called with what a conversion is doing, in a few words, for the user who waits.
Status = Callable[[str], None]


class Simulate(Protocol):
    """Run a network on samples as the user gives them; on generated C++, unless a test says otherwise."""

    def __call__(
        self, network: Network, x: SamplesLike, record: RecordingOptions, *, once: bool = False
    ) -> Iterator[Recording]:
        """Yield the recording of each batch.

        Args:
            x: as `Network.samples` takes them.
            once: the network is not run again, so that a fast build matters more than the last tenth of its speed.
        """


def silent(text: str) -> None:
    """Tell nobody what a conversion is doing."""


def uncached(key: Hashable, compute: Callable[[], Any]) -> Any:
    """Compute a value without looking for an earlier one."""
    return compute()


@dataclass(frozen=True, eq=False)
class Settings:
    """What a converter chooses for a lowered graph.

    Attributes:
        scales: for each ReLU's name λ, a positive array of shape () or (channels,).
        shifts: for the names of some ReLUs, and of nodes that are outputs, what is added to the bias before them,
            in units of activation: shape (channels,) or the node's shape.
        potentials: for the names of some ReLUs v at the start of a sample, in thresholds: shape (channels,) or the
            node's shape; the others have what the method's neurons start from.
        copies: for the names of some ReLUs how many neurons stand for each value; see `kgenn.conversion.copies`.
            What else there is of these ReLUs is for each copy, in channels that follow one another.
        layers: for the names of some linear nodes the same layers with other weights.
        notes: what the user should know of how they were chosen.
        warnings: what leaves them in doubt.
    """

    scales: Mapping[str, Array]
    shifts: Mapping[str, Array] = field(default_factory=dict)
    potentials: Mapping[str, Array] = field(default_factory=dict)
    copies: Mapping[str, int] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a converter learns from: a lowered graph, samples, and spiking networks that run on them.

    Attributes:
        graph: lowered.
        samples: as the user gives them.
        num_timesteps: T.
        draft: returns the network of some settings up to a node, for so many timesteps: a ReLU's own spikes, or,
            with a neuron model, a readout of that model in place of the node; only what lies before it needs
            settings.
        simulate: runs a network on samples.
        memoise: keeps statistics of the graph's activations on the samples; keys need not name these two.
        status: called with what is being computed where that takes long.
    """

    graph: Graph
    samples: Samples
    num_timesteps: int
    draft: Callable[[Settings, str, NeuronModel | None, int], Network]
    simulate: Simulate
    memoise: Memoise = uncached
    status: Status = silent


@dataclass(frozen=True)
class Dynamics:
    """The neurons of a population.

    Attributes:
        neuron: the model.
        params: values of its parameters, on the population's grid.
        initial: values of its state at the start of each sample, on the grid.
        largest_rate: the largest value of a spike train, as a share of the full scale; None: no limit.
    """

    neuron: NeuronModel
    params: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    largest_rate: float | None = 1.0


@dataclass(frozen=True)
class Converter(ABC):
    """A conversion method with its options as fields.

    Attributes:
        name: what the command line calls it.
        represents: the features beyond the strict profile that it can represent exactly, as `--allow` names them.
        citations: keys or entries of `kgenn.citations`, the method's own first.
        code: what a spike stands for; it works with the encoders of the same code.
        graded: a spike counts as one, whatever its value.
        default_encoder: the encoder where the user names none.
        readouts: the readouts it has, the default first.
        default_timesteps: T where the user gives none.
        depends_on_timesteps: the network for T is not the one for another T that runs longer or shorter.
    """

    name: ClassVar[str]
    represents: ClassVar[frozenset[str]] = frozenset(
        {"activation", "bias", "batch-norm", "max-pool", "product", "relu-cap", "zero-padding"}
    )
    citations: ClassVar[tuple[Citation, ...]]
    code: ClassVar[CodeName] = "rate"
    graded: ClassVar[bool] = False
    default_encoder: ClassVar[str] = "direct"
    readouts: ClassVar[tuple[ReadoutKind, ...]] = (DEFAULT_READOUT, "current", "spike-count")
    default_timesteps: ClassVar[int] = 64
    depends_on_timesteps: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_types(self, self.name)

    @abstractmethod
    def settings(self, calibration: Calibration) -> Settings:
        """Return λ of each ReLU of a lowered graph: the activation that a spike train of full scale stands for."""

    @abstractmethod
    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        """Return the neurons of a ReLU.

        Args:
            node: of the lowered graph.
            unit: the integer that stands for a unit spike, on the population's grid; even.
            num_timesteps: T.
        """

    @property
    def cited(self) -> tuple[Citation, ...]:
        """Return the keys of what the method uses with the options it has."""
        return self.citations

    def levels(self, num_timesteps: int) -> int:
        """Return the value of a spike train that stands for λ."""
        return num_timesteps

    def spike_range(self, num_timesteps: int) -> tuple[int, int]:
        """Return the least and the largest value of a spike; 0 counts as one."""
        return 0, 1

    def refusals(self, graph: Graph) -> Iterable[Diagnostic]:
        """Return what of a lowered graph the method cannot convert, beside what no method can."""
        return ()

    def check(self, num_timesteps: int) -> None:  # noqa: B027 (most take any number)
        """Raise KG401 where the method has no such T; at least 1 is checked before."""


def checked_timesteps(converter: Converter, timesteps: Any, where: str = "timesteps") -> int:
    """Return a number of timesteps of any type of whole numbers, as an int of Python.

    Args:
        where: the option, for messages.

    Raises:
        KgennError: KG401 where it is not one from 1 to `MAX_STEPS`, or the method has no such T.
    """
    number = whole(where, timesteps, 1, MAX_STEPS)
    converter.check(number)
    return number


@dataclass(frozen=True, eq=False)
class Memory:
    """What conversions of one model on one calibration set computed, by key."""

    values: dict[Hashable, Any] = field(default_factory=dict)

    def memoise(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the value of a key, computing it the first time."""
        if key not in self.values:
            self.values[key] = compute()
        return self.values[key]

    def forget(self) -> None:
        """Release everything: what is shared between conversions takes as much memory as a network."""
        self.values.clear()
