"""Several networks as one, so that one program shows for each what a program of its own would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import cycle

import numpy as np

from kgenn.encoders import encoders_of as understood_by
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from recordings import METHODS, NUM_SAMPLES, converted, drive_of

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
