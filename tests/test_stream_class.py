"""A stream in Python gives what a run gives, on every target that has one, and says why where there is none."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import kgenn
from beside import samples_of_several, several
from kgenn.artifact.directory import Artifact
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.few_spike import FewSpike
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording
from kgenn.ir.scores import heads_of
from kgenn.stream import Stream
from ported_models import arrays, two_inputs
from recordings import EVERYTHING, changing, compiled, converted, frames_for, inputs_of

TARGETS = [
    "reference",
    pytest.param("cpu", marks=pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")),
]
each_target = pytest.mark.parametrize("target", TARGETS)
STREAMS: list[tuple[str, str, ReadoutKind | None]] = [
    ("residual_shortcut", "poisson", None),
    ("pool_input", "direct", None),
    ("conv_conv", "if", "spike-count"),
]


def streamed(network: Network, target: str) -> Stream:
    simulator = compiled(network) if target == "cpu" else ReferenceSimulator(network)
    return kgenn.CompiledNetwork(Artifact(network, target), simulator).stream()


def assert_at(stream: Stream, expected: Recording, sample: int, step: int) -> None:
    """Fail where a stream departs from a step of a run."""
    assert expected.raster is not None
    for name, spikes in stream.spikes.items():
        assert np.array_equal(spikes.ravel(), expected.raster[name][sample, step])
    assert np.array_equal(stream.scores, expected.scores[sample, step])
    outputs = stream.outputs if isinstance(stream.outputs, dict) else {"": stream.outputs}
    for head, values in zip(heads_of(stream.network), outputs.values(), strict=True):
        assert values.shape == head.shape
        assert np.allclose(values.ravel(), head.values(expected.scores[sample, step], step + 1), rtol=1e-6)


def assert_steps_are_those_of_a_run(network: Network, x: dict[str, Array], target: str) -> None:
    """Fail where a step departs from the run of its sample, in any order of three samples."""
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    with streamed(network, target) as stream:
        for sample in (0, 2, 1, 2):
            stream.reset(sample)
            given = {name: array[sample] for name, array in x.items()}
            for step in range(network.num_timesteps):
                stream.step(given if step % 3 == 0 else None)
                assert stream.timestep == step + 1
                assert_at(stream, expected, sample, step)


@each_target
@pytest.mark.parametrize("readout", [None, "spike-count"])
def test_steps_are_those_of_a_run(readout: ReadoutKind | None, target: str) -> None:
    network = several(readout=readout)
    assert_steps_are_those_of_a_run(network, samples_of_several(network, count=3), target)


@pytest.mark.slow
@each_target
@pytest.mark.parametrize(("name", "encoder", "readout"), STREAMS)
def test_steps_of_a_network_alone_are_those_of_a_run(
    name: str, encoder: str, readout: ReadoutKind | None, target: str
) -> None:
    network = converted(name, encoder, readout=readout)
    assert_steps_are_those_of_a_run(network, {network.inputs[0].name: inputs_of(network, encoder, 3)}, target)


@each_target
def test_a_hundred_frames_step_as_they_run_at_once(target: str) -> None:
    network = changing(several(100))
    x = samples_of_several(network, frames_for, 2)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    events = network.inputs[-1].name
    with streamed(network, target) as stream:
        for sample in (1, 0):
            stream.reset(sample)
            for step in range(100):
                frame = {name: array[sample, step] for name, array in x.items()}
                stream.step({**frame, events: frame[events].astype(bool)})
                assert_at(stream, expected, sample, step)


@cache
def ported(seconds: int = 20) -> Network:
    mixed: Any = {"image": kgenn.Poisson(), "meta": "direct"}
    return kgenn.convert(two_inputs(), calibration=arrays(), timesteps=seconds, encoder=mixed, check=False)


@each_target
def test_several_inputs_and_outputs_have_their_names(target: str) -> None:
    network, x = ported(), arrays()
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    forms: list[Any] = [{name: x[name][0] for name in ("meta", "image")}, [x["image"][0], x["meta"][0]]]
    forms.append(MappingProxyType(forms[0]))
    for form in forms:
        with streamed(network, target) as stream:
            for step in range(network.num_timesteps):
                found = stream.step(form if step % 2 == 0 else None)
                assert isinstance(found, dict)
                assert list(found) == ["digit", "aux", "yes"]
                assert_at(stream, expected, 0, step)


@each_target
def test_a_stream_may_go_on_longer_than_a_run(target: str) -> None:
    short, long = (several(t) for t in (7, 40))
    x = samples_of_several(short, count=1)
    expected = ReferenceSimulator(long).run(long.drive(x), 0, EVERYTHING)
    with streamed(short, target) as stream:
        for step in range(40):
            stream.step({name: array[0] for name, array in x.items()})
            assert_at(stream, expected, 0, step)


@each_target
def test_a_differential_network_takes_one_input_in_a_sample(target: str) -> None:
    network = converted("skip_to_readout", "direct", Calibrated(), num_timesteps=8)
    x = inputs_of(network, "direct", 1)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    with streamed(network, target) as stream:
        for step in range(network.num_timesteps):
            stream.step(x[0] if step == 0 else None)
            assert_at(stream, expected, 0, step)
        with pytest.raises(KgennError, match=r"KG401.*takes the input of the first step"):
            stream.step(x[0])
        stream.reset()
        stream.step(x[0])


@each_target
def test_a_step_that_cannot_run_says_why_and_changes_nothing(target: str) -> None:
    network = converted("dense", "poisson")
    x = inputs_of(network, "poisson", 1)
    stream = streamed(network, target)
    for look in (stream.step, lambda: stream.outputs):
        with pytest.raises(KgennError, match="KG602"):
            look()
    stream.step(x[0])
    before = stream.scores
    odd: list[tuple[Any, str]] = [
        (np.full_like(x[0], 2), "KG603"),
        (np.full_like(x[0], np.nan), "KG603"),
        (x, "KG602.*without a batch axis"),
        (x[0][:-1], "KG602"),
        ("x", "KG602"),
        ({"nothing": x[0]}, "KG602"),
        ([x[0], x[0]], "KG602"),
        (np.zeros(x[0].shape, np.uint8), "KG604"),
        (np.ma.masked_array(x[0], x[0] > 0.5), "KG602.*masked"),
    ]
    for values, words in odd:
        with pytest.raises(KgennError, match=f"(?s){words}"):
            stream.step(values)
    assert np.array_equal(stream.scores, before)
    assert stream.timestep == 1
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    stream.step()
    assert_at(stream, expected, 0, 1)
    for sample in (-1, 2**40, "0", 1.5):
        with pytest.raises(KgennError, match="KG401"):
            stream.reset(sample)  # type: ignore[arg-type]
    stream.reset(0)
    with pytest.raises(KgennError, match="KG602"):
        stream.step()
    stream.close()
    stream.close()
    with pytest.raises(KgennError, match=r"KG401.*closed"):
        stream.step(x[0])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_two_streams_of_one_network_do_not_touch_each_other() -> None:
    network = converted("conv_same", "direct")
    x = inputs_of(network, "direct", 2)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    one, two = (streamed(network, "cpu") for _ in range(2))
    for step in range(9):
        one.step(x[0])
        two.step(x[1])
        assert_at(one, expected, 0, step)
        assert_at(two, expected, 1, step)


def test_networks_of_stages_and_targets_of_whole_samples_have_none_and_say_so() -> None:
    staged = converted("dense", "few-spike", FewSpike(), num_timesteps=7)
    with pytest.raises(KgennError, match=r"KG401.*works in stages"):
        streamed(staged, "reference")

    class Whole(ReferenceSimulator):
        def stepper(self) -> None:
            return None

    network = converted("dense", "direct")
    with pytest.raises(KgennError, match=r"(?s)KG401.*genn-cpu runs whole samples only.*target cpu"):
        kgenn.CompiledNetwork(Artifact(network, "genn-cpu"), Whole(network)).stream()


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_directory_that_is_opened_has_a_stream(tmp_path: Path) -> None:
    network = converted("dense", "poisson")
    kgenn.compile(network).save(tmp_path / "snn")
    x: Array = inputs_of(network, "poisson", 1)
    result = kgenn.compile(network, "reference").evaluate(x)
    with kgenn.open_directory(tmp_path / "snn").stream() as stream:
        for _ in range(network.num_timesteps):
            found = stream.step(x[0])
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, result.scores[0], rtol=1e-6)
