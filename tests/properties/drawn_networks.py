"""Random conversions of random graphs: every method with any of its options, encoders, readouts and lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import event, reject
from hypothesis import strategies as st

from drawn_graphs import graphs
from kgenn.conversion.base import Converter
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.fission import Fission
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.spike_norm import SpikeNorm
from kgenn.conversion.threshold_relu import ThresholdReLU
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.conversion.unscaled import Unscaled
from kgenn.diagnostics import KgennError
from kgenn.encoders import encoders_of
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network, ReadoutKind
from kgenn.passes import LoweringOptions
from networks import samples, with_caps
from recordings import ALL_ENCODERS, on_reference

# What a conversion may say of a legal graph: a max pooling that neurons cannot do, a readout of
# spike counts that cannot give negative values, a layer that is silent on the
# calibration set, weights without a grid. `none` knows no caps.
DECLINES = {"KG207", "KG301", "KG302", "KG403", "KG404"}
NUM_CALIBRATION = 16

booleans = st.booleans()
potentials = st.sampled_from((0.5, 0.0, 0.25))
percentiles = st.sampled_from((99.9, 100.0, 90.0))
resets = st.sampled_from(("subtract", "zero"))
rules = st.sampled_from(("least-squares", "percentile", "maximum"))
staged = {
    "scale_rule": rules,
    "scale_factor": st.sampled_from((1.0, 0.5)),
    "channelwise": booleans,
    "rounding": booleans,
    "correction": booleans,
}
single = {"initial_potential": potentials, "reset": resets}
percentile = {"percentile": percentiles, "channelwise": booleans}

CONVERTERS: dict[type[Converter], st.SearchStrategy[Converter]] = {
    DataNorm: st.builds(DataNorm, **single, **percentile, include_weights=booleans),
    FewSpike: st.builds(FewSpike, **staged),
    TimeToFirstSpike: st.builds(TimeToFirstSpike, **staged),
    Burst: st.builds(
        Burst,
        **percentile,
        initial_potential=potentials,
        gamma=st.sampled_from((5, 1, 2, 127)),
        scale_factor=st.sampled_from((0.4, 1.0)),
    ),
    Calibrated: st.builds(
        Calibrated,
        quanta=st.sampled_from((63, 1, 7, 1000)),
        members=st.integers(1, 7),
        channelwise=booleans,
        correction=booleans,
    ),
    Fission: st.builds(Fission, extra=st.sampled_from((1.5, 0.0, 4.0)), copies=st.integers(1, 8)),
    SpikeNorm: st.builds(
        SpikeNorm,
        **single,
        norm_percentile=percentiles,
        norm_samples=st.just(4),
        norm_timesteps=st.sampled_from((8, 0)),
    ),
    ThresholdReLU: st.builds(ThresholdReLU, **single),
    Unscaled: st.builds(Unscaled, **single),
}
converters = st.one_of(*CONVERTERS.values())
# the generated program runs 32 timesteps at once
LENGTHS = {
    "rate": (5, 1, 2, 21, 32, 33, 40),
    "differential": (8, 1, 3, 33),
    "binary": (6, 1, 2, 8, 12),
    "latency": (7, 1, 2, 40),
}
lowerings = st.builds(
    LoweringOptions, st.sampled_from(("direct", "identity")), st.sampled_from(("auto", "fold", "population"))
)
weights = st.sampled_from(((None, "layer"), (8, "layer"), (8, "channel"), (4, "channel"), ("auto", "channel")))


@dataclass(frozen=True, eq=False)
class Setup:
    """How to convert a graph.

    Attributes:
        encoder: a name of `ALL_ENCODERS`.
    """

    converter: Converter
    encoder: str
    num_timesteps: int
    lowering: LoweringOptions
    readout: ReadoutKind
    seed: int

    @property
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest input."""
        _, low, high = ALL_ENCODERS[self.encoder]
        return low, high


@dataclass(frozen=True, eq=False)
class Case:
    """A network with where it came from, and inputs that it takes."""

    graph: Graph
    setup: Setup
    network: Network
    x: Array

    @property
    def drive(self) -> Array:
        return self.network.drive(self.x)


@st.composite
def setups(draw: st.DrawFn, methods: st.SearchStrategy[Converter] = converters) -> Setup:
    """Draw a method with its options, an encoder, a length and a readout that it has, and a grid of weights."""
    converter, (bits, grid) = draw(methods), draw(weights)
    return Setup(
        converter,
        draw(st.sampled_from([e for e in ALL_ENCODERS if e in encoders_of(converter.code)])),
        draw(st.sampled_from(LENGTHS[converter.code])),
        replace(draw(lowerings), weight_bits=bits, weight_grid=grid),
        draw(st.sampled_from(converter.readouts)),
        draw(st.integers(0, 9)),
    )


@st.composite
def cases(
    draw: st.DrawFn,
    methods: st.SearchStrategy[Converter] = converters,
    most_samples: int = 4,
    most_blocks: int = 4,
) -> Case:
    """Draw a graph and convert it; examples that the conversion declines, and says why, do not count."""
    graph, setup = draw(graphs(most_blocks)), draw(setups(methods))
    if isinstance(setup.converter, ThresholdReLU):
        graph = with_caps(graph)
    calibration = samples(graph, NUM_CALIBRATION, *setup.range)
    network = convert(graph, setup, calibration).network
    event(f"method {setup.converter.name}")
    return Case(graph, setup, network, calibration[: draw(st.integers(1, most_samples))])


def convert(graph: Graph, setup: Setup, calibration: Array) -> Conversion:
    """Convert a graph; reject the example where the conversion declines."""
    coder, _, _ = ALL_ENCODERS[setup.encoder]
    allow = ("bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")
    recipe = recipe_of(setup.converter, coder, allow, setup.lowering, setup.readout, setup.seed)
    try:
        return convert_graph(graph, recipe, calibration, setup.num_timesteps, on_reference)
    except KgennError as error:
        codes = {diagnostic.code for diagnostic in error.diagnostics}
        if not codes <= DECLINES:
            raise
        event(f"declined {sorted(codes)}")
        reject()
