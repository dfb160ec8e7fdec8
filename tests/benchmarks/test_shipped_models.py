"""The networks in benchmarks/models and benchmarks/zoo/networks: each is what the JSON beside it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kgenn
from covering import leading

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# the most bytes of a network in each place: the repository holds no large files
LARGEST = {BENCHMARKS / "models": 500_000, BENCHMARKS / "zoo" / "networks": 5_000_000}
FACTS = sorted(path for place in LARGEST for path in place.glob("*.json"))


def network_of(facts: Path) -> Path:
    (found,) = [path for path in facts.parent.glob(f"{facts.stem}.*") if path != facts]
    return found


def test_there_is_a_network_beside_each_json_and_no_other_file() -> None:
    assert {*FACTS, *map(network_of, FACTS)} == {
        path for place in LARGEST if place.is_dir() for path in place.iterdir()
    }


@pytest.mark.parametrize("facts", leading(FACTS, 2), ids=lambda path: path.stem)
def test_a_shipped_network_is_small_and_needs_exactly_what_its_json_allows(facts: Path) -> None:
    path = network_of(facts)
    allow = json.loads(facts.read_text(encoding="utf-8")).get("allow", [])
    assert path.stat().st_size < LARGEST[path.parent]
    assert kgenn.check(path, allow=allow) == []
    for feature in allow:
        assert kgenn.check(path, allow=set(allow) - {feature}) != []
