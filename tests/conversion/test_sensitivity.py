"""How much the outputs change when one layer is rounded: as computed by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from kgenn.conversion import sensitivity
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.sensitivity import LEVELS
from kgenn.ir.graph import Array, Graph, Input
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU
from networks import samples
from recordings import conversion

NETWORKS = ["dense_deep", "residual_relu", "concat_pool_conv", "max_pool_skip"]


def outputs(graph: Graph, x: Array, scales: Mapping[str, Array], rounded: str | None) -> list[Array]:
    """Compute a whole graph, with the values of one of its nodes rounded."""
    values: dict[str, Array] = {}
    for node in graph.nodes:
        given = [x] if isinstance(node.layer, Input) else [values[source] for source in node.inputs]
        values[node.name] = node.layer.forward(*given)
        if node.name == rounded:
            values[node.name] = quantised(values[node.name], scales[node.name], LEVELS, rounding=True)
    return [values[name] for name in graph.ends]


def by_hand(graph: Graph, x: Array) -> dict[str, float]:
    """Return the error of each ReLU, with all samples computed at once."""
    scales = least_squares_scales(graph, Samples({graph.inputs[0]: x}), LEVELS, True, True)
    exact = outputs(graph, x, scales, None)
    errors = {}
    for relu in scales:
        changed = outputs(graph, x, scales, relu)
        errors[relu] = sum(
            float(np.mean(np.square(new - old)) / np.var(old, axis=0).mean())
            for new, old in zip(changed, exact, strict=True)
        )
    return errors


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_it_is_the_change_of_the_outputs_in_their_variance(
    name: str, one_by_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = conversion(name).lowered
    x = samples(graph, 20, -1.0, 1.0)
    if one_by_one:
        monkeypatch.setattr(sensitivity, "MAX_BYTES", 1)
    found = sensitivity.sensitivities(graph, Samples({graph.inputs[0]: x}))
    assert found == pytest.approx(by_hand(graph, x), rel=1e-4)
    assert min(found.values()) > 0


def test_outputs_are_added_up_and_a_layer_behind_one_counts_for_the_others_alone() -> None:
    whole = conversion("dense_deep").lowered
    first, *_ = [node.name for node in whole.nodes if isinstance(node.layer, ReLU)]
    graph = whole.ending_at(first, *whole.ends)
    x = samples(graph, 20, -1.0, 1.0)
    found = sensitivity.sensitivities(graph, Samples({graph.inputs[0]: x}))
    assert found == pytest.approx(by_hand(graph, x), rel=1e-4)
    alone = sensitivity.sensitivities(whole, Samples({whole.inputs[0]: x}))
    assert found[first] > alone[first]
    assert {name: e for name, e in found.items() if name != first} == pytest.approx(
        {name: e for name, e in alone.items() if name != first}
    )


def test_nothing_is_lost_where_an_output_never_changes() -> None:
    graph = conversion("dense_deep").lowered
    x = np.zeros_like(samples(graph, 3))
    found = sensitivity.sensitivities(graph, Samples({graph.inputs[0]: x}))
    assert all(np.isfinite(error) for error in found.values())


def test_a_constant_output_counts_no_more_than_the_others() -> None:
    whole = conversion("concat_pool_conv").lowered
    first, *_ = [node.name for node in whole.nodes if isinstance(node.layer, ReLU)]
    graph = whole.ending_at(first, *whole.ends)
    x = 1000 * samples(graph, 1, -1.0, 1.0)
    found = sensitivity.sensitivities(graph, Samples({graph.inputs[0]: x}))
    repeated = sensitivity.sensitivities(graph, Samples({graph.inputs[0]: np.repeat(x, 3, axis=0)}))
    assert 0 < max(found.values()) < len(graph.ends)
    assert max(repeated.values()) < len(graph.ends)
