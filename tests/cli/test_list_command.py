"""`kgenn list methods`: what it says of a method is what the conversion accepts and refuses."""

from __future__ import annotations

import numpy as np
import pytest

from commands import Kgenn
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES, violations
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS
from kgenn.ir.graph import Graph
from kgenn.ir.output_end import OutputEnd
from kgenn.layers.merge import Multiply
from kgenn.tasks import TASKS
from networks import RECIPES, Build, build

pytestmark = pytest.mark.quick

METHODS = CONVERTERS.names()
each_method = pytest.mark.parametrize("method", METHODS)
# a network that needs one feature and no other
NEEDS = {
    "activation": "leaky",
    "bias": "bias_dense",
    "batch-norm": "batch_norm_after_add",
    "max-pool": "max_pool_conv",
    "product": "product",
    "relu-cap": "relu_cap",
    "zero-padding": "zero_padding_1d",
}


def network_of(name: str) -> Graph:
    """Return a network by name; no converter has one of products."""
    if name in RECIPES:
        return build(name)
    b = Build(name, (7,))
    return b.graph(b.dense(b.add(Multiply(), b.relu(b.dense("input", 5)), b.relu(b.dense("input", 5))), 4))


def row_of(kgenn: Kgenn, method: str) -> dict[str, str]:
    (row,) = (row for row in kgenn("list", "methods", "--json").json["methods"] if row["name"] == method)
    assert isinstance(row, dict)
    return row


@each_method
def test_a_feature_is_listed_exactly_where_the_converter_takes_it(kgenn: Kgenn, method: str) -> None:
    listed = row_of(kgenn, method)["represents"].split(", ")
    assert set(NEEDS) == set(FEATURES)
    for feature, name in NEEDS.items():
        refused = violations(network_of(name), CONVERTERS.get(method)(), [feature])
        assert (feature in listed) == (not refused)


@each_method
def test_an_encoder_is_listed_exactly_where_the_converter_takes_it(kgenn: Kgenn, method: str) -> None:
    row = row_of(kgenn, method)
    listed = row["encoders"].split(", ")
    assert listed[0] == CONVERTERS.get(method).default_encoder
    for name in ENCODERS.names():
        if name in listed:
            recipe_of(CONVERTERS.get(method)(), ENCODERS.get(name)())
        else:
            with pytest.raises(KgennError, match="KG401"):
                recipe_of(CONVERTERS.get(method)(), ENCODERS.get(name)())


@each_method
def test_signed_input_is_listed_exactly_where_an_encoder_takes_it(kgenn: Kgenn, method: str) -> None:
    row = row_of(kgenn, method)
    x = np.array([[-1.0, 1.0]], np.float32)
    taken = []
    for name in row["encoders"].split(", "):
        coding = ENCODERS.get(name)().coding(x, 4)
        try:
            taken.append(bool((coding.drive(x) < 0).any()))
        except KgennError:
            taken.append(False)
    assert ("signed input" in row["represents"]) == any(taken)


@each_method
def test_the_timesteps_listed_are_legal_and_the_code_is_the_network_s(kgenn: Kgenn, method: str) -> None:
    row = row_of(kgenn, method)
    CONVERTERS.get(method)().check(int(row["timesteps"]))
    assert row["code"] == CONVERTERS.get(method).code


def test_the_table_shows_the_same_words(kgenn: Kgenn) -> None:
    done = kgenn("list", "methods")
    for method in METHODS:
        row = row_of(kgenn, method)
        assert all(word in done.out for word in (method, row["code"], row["timesteps"]))


def test_every_task_is_listed_with_what_its_outputs_take(kgenn: Kgenn) -> None:
    rows = kgenn("list", "tasks", "--json").json["tasks"]
    assert [row["name"] for row in rows] == list(TASKS)
    for row in rows:
        assert row["labels"]
        assert row["description"]
        task = TASKS[row["name"]]
        ends = (OutputEnd(shape) for shape in ((1,), (5,), (4, 4, 1), (4, 4, 3)))
        fitting = {", ".join(m.name for m in task.metrics_of(end)) for end in ends if not task.mismatch(end)}
        assert fitting == {row["metrics"]}
