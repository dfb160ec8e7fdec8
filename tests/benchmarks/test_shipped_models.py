"""The networks in benchmarks/models: each is what the JSON beside it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kgenn

MODELS = Path(__file__).parents[2] / "benchmarks" / "models"
FACTS = sorted(MODELS.glob("*.json"))
LARGEST = 500_000  # bytes: the repository holds no large files


def network_of(facts: Path) -> Path:
    (found,) = [path for path in MODELS.glob(f"{facts.stem}.*") if path != facts]
    return found


def test_there_is_a_network_beside_each_json_and_no_other_file() -> None:
    assert {*FACTS, *map(network_of, FACTS)} == set(MODELS.iterdir())


@pytest.mark.parametrize("facts", FACTS, ids=lambda path: path.stem)
def test_a_shipped_network_is_small_and_needs_exactly_what_its_json_allows(facts: Path) -> None:
    path = network_of(facts)
    allow = json.loads(facts.read_text(encoding="utf-8")).get("allow", [])
    assert path.stat().st_size < LARGEST
    assert kgenn.check(path, allow=allow) == []
    for feature in allow:
        assert kgenn.check(path, allow=set(allow) - {feature}) != []
