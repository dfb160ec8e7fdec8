"""Name populations and connections in GeNN after the layers of the model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from kgenn.ir.network import Network

# GeNN takes letters, digits and underscores, and no digit first.
_INVALID = re.compile(r"[^A-Za-z0-9_]")
# Of a layer's name; those of connections have two, and arrays a suffix.
MAX_LETTERS = 60


def population_names(network: Network, taken: Collection[str] = ()) -> Mapping[str, str]:
    """Return the name in GeNN of each population, by its own name.

    Args:
        taken: names that stand for something else.
    """
    names = [p.name for p in network.populations]
    return dict(zip(names, unique(map(identifier, names), taken), strict=True))


def connection_names(network: Network, names: Mapping[str, str] | None = None) -> list[str]:
    """Return the name in GeNN of each connection: its source's and its target's.

    Args:
        names: of the populations, `population_names` if not given.
    """
    names = population_names(network) if names is None else names
    return unique(f"{names[c.source]}_to_{names[c.target]}" for c in network.connections)


def identifier(name: str) -> str:
    """Return a layer's name as an identifier; two names may give the same."""
    valid = _INVALID.sub("_", name)[:MAX_LETTERS]
    return valid if valid[:1].isalpha() else f"layer_{valid}"


def unique(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Return the names; one that is taken, or stood before, has a number after it."""
    chosen: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in chosen or candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        chosen.append(candidate)
    return chosen
