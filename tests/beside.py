"""Several networks as one, so that one program shows for each what a program of its own would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import cycle

import numpy as np

from kgenn.encoders import encoders_of as understood_by
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Network, ReadoutKind
from recordings import METHODS, NUM_SAMPLES, NUM_TIMESTEPS, converted, drive_of, values_for

# what a connection or a population can be
FEW = (
    "dense_deep",
    "conv_same",
    "residual_relu",
    "residual_shortcut",
    "skip_to_readout",
    "concat_pool_conv",
    "pool_conv",
    "bias_before_pool_conv",
    "relu_cap",
    "max_pool_overlapping_same",
    "max_pool_max_pool",
    "max_pool_global",
    "max_pool_skip",
    "max_pool_concat",
    "pool_same_strided",
    "upsample_bilinear_conv",
    "transposed_conv",
    "unet",
)


# a readout with two sources, a maximum that skips a layer, and one of capped values
SMALL = ("skip_to_readout", "max_pool_skip", "max_pool_cap")


# every encoder, and every kind of connection between an input and a readout; of all streams and changing inputs
SEVERAL = (
    ("residual_shortcut", "poisson"),
    ("concat_pool_conv", "poisson-signed"),
    ("conv_same", "direct"),
    ("pool_input", "direct"),
    ("bias_conv", "direct"),
    ("conv_conv", "if"),
    # outputs that are themselves rectified or pooled
    ("relu_output", "poisson"),
    ("global_pool_output", "poisson-signed"),
    ("skip_to_readout", "spike"),
)
# three programs that the tests of single networks share: each readout of a rate code, behind another encoder
SINGLE: tuple[tuple[str, str, ReadoutKind], ...] = (
    ("residual_shortcut", "direct", "current"),
    ("residual_shortcut", "poisson", "late-current"),
    ("residual_shortcut", "spike", "spike-count"),
)


# all methods, where those of one code and number of timesteps share a program
PROGRAMS = {
    "rate": ("data-norm", "burst", "threshold-relu", "spike-norm"),
    **{method: (method,) for method in ("few-spike", "ttfs", "calibrated", "fission")},
}


def encoders_of(method: str) -> list[str]:
    """Return the encoders that a method takes, its default first."""
    converter = METHODS[method][0]
    default = converter.default_encoder
    return [default, *(e for e in understood_by(converter.code) if e != default)]


def network_of(name: str, method: str, encoder: str, num_timesteps: int = 0) -> Network:
    """Return a network that a method makes, for as many timesteps as its tests run where no number is given."""
    converter, timesteps = METHODS[method]
    return converted(name, encoder, converter, num_timesteps=num_timesteps or timesteps[0])


def sample_of(method: str, names: Iterable[str] = FEW) -> list[tuple[str, str]]:
    """Return networks, each with the next encoder of a method in turn."""
    return list(zip(names, cycle(encoders_of(method)), strict=False))


def third_of(method: str) -> tuple[str, ...]:
    """Return every third network of `FEW`; three methods that follow one another have all of them."""
    return FEW[list(METHODS).index(method) % 3 :: 3]


@cache
def of_methods(methods: tuple[str, ...], count: int = NUM_SAMPLES) -> tuple[Network, Array]:
    """Return every third network of some methods, `third_of` each, as one network, and a drive of it."""
    of_each = ((m, name, e) for m in methods for name, e in sample_of(m, third_of(m)))
    return driven({f"{m} {name} {e}": (network_of(name, m, e), e) for m, name, e in of_each}, count)


@cache
def of_method(
    method: str, names: tuple[str, ...] = SMALL, count: int = NUM_SAMPLES, num_timesteps: int = 0
) -> tuple[Network, Array]:
    """Return the networks that `sample_of` gives as one network, and a drive of it for some samples."""
    pairs = sample_of(method, names)
    return driven({f"{name} {e}": (network_of(name, method, e, num_timesteps), e) for name, e in pairs}, count)


def driven(cases: Mapping[str, tuple[Network, str]], count: int = NUM_SAMPLES) -> tuple[Network, Array]:
    """Return networks as one, and a drive of it, where each case is a network and the name of its encoder."""
    drives = [drive_of(network, encoder, count) for network, encoder in cases.values()]
    return beside({key: network for key, (network, _) in cases.items()}), np.concatenate(drives, axis=-1)


@cache
def several(num_timesteps: int = NUM_TIMESTEPS, readout: ReadoutKind | None = None) -> Network:
    """Return the networks of `SEVERAL` as one."""
    made = {(n, e): converted(n, e, num_timesteps=num_timesteps, readout=readout) for n, e in SEVERAL}
    return beside({f"{name} {encoder}": network for (name, encoder), network in made.items()})


def samples_of_several(
    network: Network, draw: Callable[[Shape, str, int], Array] = values_for, count: int = NUM_SAMPLES
) -> dict[str, Array]:
    """Return samples of each input of `several`, drawn for its shape, the name of its encoder and a count."""
    pairs = zip(network.inputs, SEVERAL, strict=True)
    return {given.name: draw(network.input_shapes[given.name], encoder, count) for given, (_, encoder) in pairs}


def beside(networks: Mapping[str, Network]) -> Network:
    """Return one network that holds all the given ones, and connects none to another.

    A population, an input or an output of the network `k` has the name `k.name`. A sample drives all inputs, those
    of the first network first.

    Args:
        networks: of one code, one number of timesteps, one kind of readout and one seed.
    """
    first = next(iter(networks.values()))
    kinds = {(n.code_name, n.num_timesteps, n.readout, n.seed, n.levels) for n in networks.values()}
    assert len(kinds) == 1, f"networks of several kinds: {kinds}"
    parts = [_renamed(key, network) for key, network in networks.items()]
    fed = {i.name for part in parts for i in part.inputs}
    populations = [p for part in parts for p in part.populations]
    return replace(
        first,
        name="beside",
        populations=tuple(sorted(populations, key=lambda p: p.name not in fed)),
        connections=tuple(c for part in parts for c in part.connections),
        inputs=tuple(i for part in parts for i in part.inputs),
        outputs=tuple(o for part in parts for o in part.outputs),
        ann_macs=sum(n.ann_macs for n in networks.values()),
        origin={},
    )


def _renamed(key: str, network: Network) -> Network:
    """Return a network whose names begin with a key."""

    def name(old: str) -> str:
        return f"{key}.{old}"

    return replace(
        network,
        populations=tuple(replace(p, name=name(p.name)) for p in network.populations),
        connections=tuple(replace(c, source=name(c.source), target=name(c.target)) for c in network.connections),
        inputs=tuple(replace(i, name=name(i.name)) for i in network.inputs),
        outputs=tuple(replace(o, name=name(o.name), population=name(o.population)) for o in network.outputs),
    )
