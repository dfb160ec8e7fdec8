"""Every conversion is compared with its model on samples kept apart; a network that is wrong is a warning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from kgenn.agreement import MARGIN, MIN_SAMPLES, SAMPLES, agreement_of, agreement_warnings, kept_apart
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.ir.agreement import Agreement
from kgenn.ir.network import Network
from kgenn.ir.output_activation import OutputActivation
from kgenn.layers.dense import Dense
from kgenn.metrics.layer_error import ideal_rates
from networks import ALLOW, build, samples
from ported_models import arrays, two_inputs
from recordings import on_reference


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_samples_set_scales_or_are_kept_apart_and_never_both(count: int, limit: int) -> None:
    fitting, apart = kept_apart(count, limit)
    assert len(np.intersect1d(fitting, apart)) == 0
    assert len(fitting) <= limit
    assert len(apart) <= SAMPLES
    assert len(fitting) + len(apart) == min(count, limit + SAMPLES)
    assert len(apart) == 0 or len(apart) >= min(MIN_SAMPLES, count - limit)


def test_scales_come_from_the_other_samples_alone() -> None:
    graph, x = build("dense"), samples(build("dense"), 200)
    fitting, apart = kept_apart(len(x), len(x))
    outlying = x.copy()
    outlying[apart] *= 0.01
    scales = [
        [p.scale.tolist() for p in kgenn.convert(graph, calibration=data, timesteps=8).populations]
        for data in (x, outlying, x[fitting])
    ]
    assert scales[0] == scales[1]
    with pytest.raises(AssertionError):
        assert scales[0] == scales[2], "of the samples that are left some are kept apart again"


@pytest.mark.parametrize("name", ["dense", "residual_relu", "conv_same"])
def test_a_sound_conversion_agrees_with_its_model(name: str) -> None:
    graph = build(name)
    network = kgenn.convert(
        graph, calibration=samples(graph, 200), converter=kgenn.FewSpike(), timesteps=8, allow=ALLOW
    )
    found = network.agreement
    assert found is not None
    assert found.apart
    assert found.num_samples == 25
    assert found.agreement > 0.9
    assert found.error < 0.1
    assert len(found.errors) == network.populations[-1].size
    assert [w.code for w in network.warnings if w.code == "KG453"] == []
    assert Agreement.from_dict(found.to_dict()) == found


def broken(network: Network, name: str) -> Network:
    """Return a network in which the weights into one population have lost their signs."""
    connections = tuple(
        replace(c, connectivity=c.connectivity.with_weights(np.abs(c.connectivity.weights)))
        if c.target == name
        else c
        for c in network.connections
    )
    return replace(network, connections=connections)


def test_a_network_that_is_wrong_is_a_warning() -> None:
    graph = build("dense_deep")
    x = samples(graph, 128)
    conversion = convert_graph(graph, recipe_of(kgenn.FewSpike(), None, ALLOW), x[:100], 8, on_reference)
    sound, wrong = conversion.network, broken(conversion.network, conversion.network.populations[2].name)
    for network, codes in ((sound, []), (wrong, ["KG453"])):
        found = agreement_of(network, conversion.lowered, x[100:], True, on_reference)
        assert found is not None
        assert [d.code for d in agreement_warnings(found, network)] == codes


def test_the_advice_names_the_bits_of_weights_that_have_few() -> None:
    graph = build("dense_deep")
    made = convert_graph(graph, recipe_of(kgenn.FewSpike(), None, ALLOW), samples(graph, 16), 8, on_reference)
    lost = Agreement(64, True, 0.5, 1.0, (), "", 0.0)
    for bits, named in ((4, True), (8, False), ("auto", False), (None, False)):
        (doubt,) = agreement_warnings(lost, made.network, weight_bits=bits)
        assert doubt.help.startswith("compare --weight-bits 8, other methods") == named


@pytest.mark.parametrize("factor", [2.0**70, -(2.0**70)])
def test_a_model_whose_outputs_overflow_is_refused(factor: float) -> None:
    graph = build("dense_deep")
    x = samples(graph, 128)
    nodes = tuple(
        replace(n, layer=replace(n.layer, kernel=np.abs(n.layer.kernel) * np.float32(factor)))
        if isinstance(n.layer, Dense) and n.name == graph.outputs[0].node
        else n
        for n in graph.nodes
    )
    large = (x * np.float32(2.0**60)).astype(np.float32)
    with pytest.raises(KgennError, match=r"KG402.*not finite"):
        kgenn.convert(replace(graph, nodes=nodes), calibration=large, timesteps=4, allow="all")


def test_one_output_of_several_that_is_lost_is_a_warning() -> None:
    graph, levels = build("dense_deep"), 255
    x = samples(graph, 128)
    conversion = convert_graph(graph, recipe_of(kgenn.FewSpike(), None, ALLOW), x[:100], 8, on_reference)
    found = agreement_of(conversion.network, conversion.lowered, x[100:], True, on_reference)
    assert found is not None
    margin = MARGIN + 1 / np.sqrt(levels)
    lost = replace(found, errors=(*found.errors[:-1], 2 * margin))
    (doubt,) = agreement_warnings(lost, conversion.network)
    assert doubt.code == "KG453"
    assert f"value {len(found.errors) - 1} of the output by {2 * margin:.2g} of its own" in doubt.what
    # a softmax compares outputs: one that hardly changes hardly matters
    softmax = OutputActivation("softmax", {"axis": -1})
    (output,) = conversion.network.outputs
    compared = replace(conversion.network, outputs=(replace(output, activations=(softmax,)),))
    assert agreement_warnings(lost, compared) == ()


def test_what_is_lost_of_several_outputs_is_named() -> None:
    network = kgenn.convert(two_inputs(), calibration=arrays(), timesteps=8, check=False)
    told = {3: "value 0 of output aux", 4: "value 1 of output aux", 5: "output yes"}
    for number, words in told.items():
        errors = tuple(3.0 if i == number else 0.0 for i in range(6))
        (doubt,) = agreement_warnings(Agreement(40, True, 1.0, 0.0, errors, "", 0.0), network)
        assert f", {words} by 3 of its own" in doubt.what


def test_what_is_lost_of_a_map_is_named_by_its_place() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Conv2D(2, 2, use_bias=False)])
    x = np.random.default_rng(0).random((40, 3, 3, 1), np.float32)
    network = kgenn.convert(model, calibration=x, timesteps=8, check=False)
    errors = tuple(3.0 if i == 5 else 0.0 for i in range(8))
    (doubt,) = agreement_warnings(Agreement(40, True, None, 0.0, errors, "", 0.0), network)
    assert ", value (1, 0, 1) of the output by 3 of its own" in doubt.what


def test_an_output_in_smaller_units_than_the_others_is_judged_by_its_own() -> None:
    keras = pytest.importorskip("keras")
    layers, rng = keras.layers, np.random.default_rng(1)
    i = keras.Input((20,))
    large, small = (layers.Dense(1)(layers.Dense(64, "relu")(i)) for _ in range(2))
    model = keras.Model(i, layers.Concatenate()([large, small]))
    # the units behind the second output vary little around a large value, and their weights add up to nothing
    for layer in model.layers[1:3]:
        layer.set_weights([rng.normal(size=(20, 64)) / 4, np.full(64, 200.0 * (layer is model.layers[2]))])
    for layer, factor in zip(model.layers[3:5], (100, 1), strict=True):
        kernel = rng.normal(size=(64, 1))
        layer.set_weights([factor * (kernel - kernel.mean()), np.zeros(1)])
    x = rng.random((300, 20), np.float32)
    with pytest.warns(kgenn.KgennWarning, match=r"KG453.*value 1 of the output by"):
        network = kgenn.convert(model, calibration=x, timesteps=8, converter="few-spike", allow=["bias"])
    assert network.agreement is not None
    assert network.agreement.error < 0.05 < 0.3 < network.agreement.errors[1]


def test_the_layer_that_rounds_most_is_named() -> None:
    graph = build("dense_deep")
    x = samples(graph, 128)
    conversion = convert_graph(graph, recipe_of(kgenn.FewSpike(), None, ALLOW), x[:100], 8, on_reference)
    hidden = conversion.network.hidden
    for p in hidden:
        # truncated to a few levels: thresholds eight times as high
        coarse = replace(p, params={**p.params, "v_round": -40.0 * p.unit})
        populations = tuple(coarse if q is p else q for q in conversion.network.populations)
        network = replace(conversion.network, populations=populations)
        found = agreement_of(network, conversion.lowered, x[100:], True, on_reference)
        assert found is not None
        assert found.layer == p.name


def test_unchecked_all_samples_set_scales() -> None:
    graph, x = build("dense"), samples(build("dense"), 100)
    network = kgenn.convert(graph, calibration=x, timesteps=8, check=False)
    assert network.agreement is None
    assert network.origin["calibration"]["samples"] == 100
    assert kgenn.convert(graph, calibration=x, timesteps=8).origin["calibration"]["samples"] == 88


@pytest.mark.parametrize("change", [{"error": "much"}, {"errors": [None]}, {"layer": 3}, {"more": 1}])
def test_a_record_that_was_changed_by_hand_is_none(change: dict[str, object]) -> None:
    good = Agreement(3, True, 1.0, 0.1, (0.1, 0.2), "dense", 0.01).to_dict()
    with pytest.raises(ValueError):
        Agreement.from_dict({**good, **change})


def test_a_run_can_say_what_the_weights_give_as_an_ann(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = build("dense"), samples(build("dense"), 40)
    y = np.random.default_rng(0).integers(0, 4, len(x))
    snn = kgenn.compile(kgenn.convert(graph, calibration=x, timesteps=4, check=False), "reference")
    result = snn.evaluate(x, y)
    found = snn.with_ann(x, y, result).ann
    assert found is not None
    assert found.num_samples == 40
    assert found.ann == snn.compare(x, y).ann_value == np.mean(np.asarray(graph.predict(x)).argmax(1) == y)
    assert found.network == result.accuracy
    macs = sum(c.connectivity.num_synapses for c in snn.network.connections)
    few = snn.with_ann(x, y, result, 7).ann
    assert few is not None
    assert few.num_samples == 7
    assert few.network == np.mean(result.predictions[:7] == y[:7])
    assert snn.with_ann(x, y, result, 0).ann is None
    for allowed in (7, 0):
        monkeypatch.setattr("kgenn.compiled.ANN_MACS", (allowed + 0.5) * macs)
        found = snn.with_ann(x, y, result).ann
        assert (0 if found is None else found.num_samples) == allowed


def test_what_the_weights_give_as_an_ann_has_no_bias_correction() -> None:
    graph, x = build("dense_deep"), samples(build("dense_deep"), 60)
    network = kgenn.convert(graph, calibration=x, timesteps=2, converter="few-spike", allow=ALLOW, check=False)
    assert any(np.abs(p.correction).max() > 0.01 for p in network.populations if p.correction is not None)
    ideal = ideal_rates(network, network.drive(x))
    readout = network.populations[-1]
    expected = np.asarray(graph.predict(x))
    np.testing.assert_allclose(ideal[readout.name] * readout.scale, expected, atol=0.02 * np.ptp(expected))


def test_one_sample_has_no_spread_and_is_compared_with_its_own_size() -> None:
    graph = build("dense")
    x = samples(graph, 200)
    coarse, fine = (kgenn.convert(graph, calibration=x, timesteps=t, check=False) for t in (2, 400))
    lowered = convert_graph(graph, recipe_of(None, None, ALLOW), x, 2, on_reference).lowered
    found = [agreement_of(network, lowered, x[:1], True, on_reference) for network in (coarse, fine)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].error > 10 * found[1].error > 0
    assert min(found[0].errors) > 0


def test_a_network_that_cannot_be_compared_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build("dense")
    monkeypatch.setattr("kgenn.agreement.MAX_OF_ONE", 10)
    monkeypatch.setattr("kgenn.agreement.PROGRAM_BUDGET", 10)
    with pytest.warns(kgenn.KgennWarning, match=r"KG454.*one sample takes too long"):
        network = kgenn.convert(graph, calibration=samples(graph, 200), timesteps=8, allow=ALLOW)
    assert network.agreement is None


def test_an_encoder_that_takes_no_calibration_sample_is_named_with_its_remedy() -> None:
    graph = build("dense")
    x = samples(graph, 200) - np.float32(2)
    with pytest.warns(kgenn.KgennWarning) as caught:
        network = kgenn.convert(graph, calibration=x, timesteps=8, allow=ALLOW, encoder="poisson")
    assert network.agreement is None
    (warning,) = (str(w.message) for w in caught if "KG454" in str(w.message))
    assert "encoder poisson of input" in warning
    assert f"takes 0 to 1, but the data have values from {x.min():g}" in warning
    assert "direct, or a signed one" in warning
