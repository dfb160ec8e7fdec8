"""The Python interface: load, check, convert, compile, evaluate."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from kgenn.artifact.cluster import ClusterSimulator, connected
from kgenn.artifact.directory import Artifact, load_simulator, read_unchanged
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions, given_network, run_options
from kgenn.backends.simulate import simulate
from kgenn.compiled import CompiledNetwork
from kgenn.config import flag
from kgenn.conversion.base import Converter, checked_timesteps
from kgenn.conversion.constraints import known_features
from kgenn.conversion.legality import legalise
from kgenn.conversion.outputs import ends_of
from kgenn.conversion.recipe import EncoderLike, Recipe, recipe_of
from kgenn.conversion.timed import timesteps_for
from kgenn.convert_model import convert_model
from kgenn.data.load import (
    AS_FLOATS,
    Data,
    LabelsLike,
    labels_by_output,
    parse_scale,
    prepared_rows,
    refuse_integers,
)
from kgenn.data.plausibility import scale_warnings
from kgenn.diagnostics import Diagnostic, announce, fail
from kgenn.files.checksums import sha256_of
from kgenn.frontend import GivenShape, InputShape, SampleShapes, read
from kgenn.frontend.input_shape import checked_shape
from kgenn.ir.calibration_data import CALIBRATION, calibration_samples
from kgenn.ir.frames import Frames, frames_of
from kgenn.ir.given import given_array, given_path
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.samples import SamplesLike, place_of, shapes_in
from kgenn.passes import LoweringOptions
from kgenn.tasks.goal import Choice, Names, Numbers, choices
from kgenn.tasks.labelled_goals import labelled_goals
from kgenn.timestep_search import TimestepSearch


def check(
    model: Any,
    converter: Converter | str | None = None,
    allow: Collection[str] = (),
    *,
    encoder: EncoderLike = None,
    residual: Literal["direct", "identity"] = "direct",
    pooling: Literal["auto", "fold", "population"] = "auto",
    pieces: int | None = None,
    weight_bits: int | Literal["auto"] | None = None,
    weight_grid: Literal["layer", "channel"] = "layer",
    readout: ReadoutKind | None = None,
    input_shape: GivenShape = None,
) -> list[Diagnostic]:
    """Return why a model does not convert, in layer order; empty if it does, whatever the calibration data.

    Found are all violations of the profile, and all that no connection or neuron can be. The arguments are those
    of `convert`.

    Raises:
        KgennError: KG1xx where the model cannot be read, KG401 for options that do not go together.
    """
    graph = as_graph(model, input_shape)
    lowering = LoweringOptions(residual, pooling, pieces, weight_bits, weight_grid)
    recipe = recipe_of(converter, encoder, allow, lowering, readout)
    known_features(recipe.allow)
    return list(legalise(graph, recipe).problems)


def convert(
    model: Any,
    *,
    calibration: SamplesLike,
    timesteps: int | Literal["auto"] | None = None,
    loss: float = TimestepSearch.loss,
    most_timesteps: int | None = None,
    labels: LabelsLike | None = None,
    converter: Converter | str | None = None,
    encoder: EncoderLike = None,
    allow: Collection[str] = (),
    residual: Literal["direct", "identity"] = "direct",
    pooling: Literal["auto", "fold", "population"] = "auto",
    pieces: int | None = None,
    weight_bits: int | Literal["auto"] | None = None,
    weight_grid: Literal["layer", "channel"] = "layer",
    readout: ReadoutKind | None = None,
    seed: int = 0,
    check: bool = True,
    input_shape: GivenShape = None,
    task: Names = None,
    metric: Names = None,
    threshold: Numbers = None,
    frames: bool = False,
) -> Network:
    """Convert a trained model to a spiking network.

    Args:
        model: a path to .h5 or .keras, a live keras.Model, or a Graph.
        calibration: a few hundred training samples, shape (N, *input shape), as for `Graph.predict`; no integers.
        timesteps: T, the K of few-spike, the t_max of ttfs; "auto" finds the fewest, see `kgenn.timestep_search`.
        loss, most_timesteps: for "auto", the points that may be lost, see `kgenn.tasks.loss`, and the largest T.
        labels: of the calibration samples, to guess tasks and for "auto", which else uses the model's answers.
        converter: an object, or a text such as "data-norm --percentile 99.9". Default: `DataNorm()`.
        encoder: likewise, for all inputs, or a mapping from the names of some. Default: `Direct()`.
        allow: features beyond the strict profile, such as "bias" or "batch-norm", or "all".
        residual: for an Add without a ReLU, read both branches, or insert an identity population.
        pooling: fold average pooling into the next connection, use neurons, or choose by size.
        pieces: straight pieces of a curved function inside the network, each with neurons. Default: by spike code.
        weight_bits, weight_grid: bits of weights, 4 to 16 or "auto", on a grid for a "layer" or each "channel".
        readout: the score of a class: "late-current", step t weighted by (t + 1)²; "current"; or "spike-count".
        seed: random seed of the encoder.
        check: compare network and model on up to 64 held-out calibration samples; see `Network.agreement`.
        input_shape: shape of one sample, or a mapping from inputs, if the model leaves sizes open.
        task, metric, threshold: those of the outputs, as for `CompiledNetwork.evaluate`; runs use them too.
        frames: inputs change with time, (N, T, *input shape); activations are calibrated on their mean.

    Raises:
        KgennError: with every violation, or the first error of a later stage.

    Warns:
        KgennWarning: for a reason to doubt the network, as `Network.warnings`.
    """
    lowering = LoweringOptions(residual, pooling, pieces, weight_bits, weight_grid)
    recipe = recipe_of(converter, encoder, allow, lowering, readout, seed)
    graph, data, chosen = _given(model, calibration, labels, input_shape, frames, task, metric, threshold)
    steps = _steps(data.frames, recipe, timesteps, TimestepSearch(loss, most_timesteps))
    network = convert_model(graph, recipe, data, steps, simulate, check=check, chosen=chosen).network()
    announce(network.warnings)
    return network


def _given(
    model: Any,
    x: SamplesLike,
    labels: LabelsLike | None,
    input_shape: GivenShape,
    frames: bool,
    task: Names,
    metric: Names,
    threshold: Numbers,
) -> tuple[Graph, Data, Mapping[str, Choice]]:
    """Return a model, its calibration data and what its outputs are for.

    Raises:
        KgennError: KG604 for integers, KG607 for labels that are none of the tasks.
    """
    frames = flag("frames", frames)
    shapes = SampleShapes(
        CALIBRATION, lambda names, naming: shapes_in(x, names, CALIBRATION, "KG402", frames, naming)
    )
    graph = as_graph(model, input_shape, shapes)
    samples = calibration_samples(x, graph.input_shapes, graph.naming, frames)
    for name, array in samples.arrays.items():
        refuse_integers(array, place_of(CALIBRATION, name, samples.arrays), AS_FLOATS)
    data = Data(samples, labels)
    outputs = tuple(output.name for output in graph.outputs)
    chosen = choices(outputs, task, metric, threshold)
    labelled_goals(ends_of(graph), chosen, labels_by_output(labels, outputs, graph.naming), len(data))
    return graph, data.timed(frames_of(samples, graph.input_shapes, CALIBRATION)) if frames else data, chosen


def _steps(frames: Frames | None, recipe: Recipe, timesteps: Any, search: TimestepSearch) -> int | TimestepSearch:
    """Return a number of timesteps, or the search for it."""
    given: int | TimestepSearch | None = None
    if isinstance(timesteps, str):
        if timesteps != "auto":
            raise fail("KG401", "timesteps", f"is {timesteps!r}", 'give a whole number, or "auto"')
        given = search
    elif timesteps is not None:
        given = checked_timesteps(recipe.converter, timesteps)
    return timesteps_for(frames, recipe, given)


def compile(
    network: Network, target: str = "cpu", threads: int = 0, genn_python: str | None = None
) -> CompiledNetwork:
    """Build a network for a target.

    Args:
        target: a name of `kgenn list targets`: "cpu" for generated C++, "cuda", "genn-cpu", "genn-cuda",
            "reference".
        threads: over samples; 0 for one on each core.
        genn_python: the Python interpreter that has pygenn, where it is not this one.

    Raises:
        KgennError: KG5xx of the toolchain.
    """
    network = given_network(network)
    simulator = TARGETS.get(target)().load(network, None, RunOptions(threads, genn_python))
    return CompiledNetwork(Artifact(network, target), simulator)


def open_directory(
    directory: str | os.PathLike[str],
    options: RunOptions | None = None,
    target: str | None = None,
    dask: str | None = None,
) -> CompiledNetwork:
    """Open a directory that `kgenn compile` or `CompiledNetwork.save` wrote.

    The directory's code is built and loaded with your rights, unless the target is "reference": open only what you
    trust. A directory with a file that was changed since kgenn wrote it is refused.

    Args:
        directory: the path of the directory.
        options: threads, the interpreter that has pygenn, and others; `edited=True` accepts changed files.
        target: run the network on this target instead of the one that it was compiled for.
        dask: address of a Dask scheduler, such as "tcp://host:8786": its workers simulate a part of every batch,
            with the same spikes. They need kgenn, and the directory under the same path.

    Returns:
        The compiled network, ready to run.

    Raises:
        KgennError: KG605 if kgenn did not write the directory, KG640 if one of its files was changed, KG5xx from
            the toolchain, KG624 if the scheduler does not answer.
    """
    place, options = given_path(directory, "directory", "KG605"), run_options(options)
    artifact = read_unchanged(place, options)
    chosen = artifact.target if target is None else target
    if dask is None:
        simulator = load_simulator(place, artifact, chosen, options)
    else:
        simulator = ClusterSimulator(connected(dask), place, chosen, options)
    return CompiledNetwork(Artifact(artifact.network, chosen), simulator)


def as_graph(model: Any, input_shape: GivenShape = None, samples: SampleShapes | None = None) -> Graph:
    """Return a model as a graph; see `kgenn.frontend.input_shape` for what sets the sizes that it leaves open."""
    return read(model, InputShape.of(input_shape, samples))


def samples(x: Array, shape: tuple[int, ...], scale: str | Fraction | None = None) -> Array:
    """Prepare raw samples for a model: multiply by a scale, convert to float32, add a missing channel axis.

    Args:
        x: shape (N, *shape); a channel axis of length 1 may be missing. It may be on disk: an array that
            `numpy.load(path, mmap_mode="r")` returned, or a dataset of h5py.
        shape: shape of one sample as the model takes it, such as `Graph.input_shape`.
        scale: factor such as "1/255". Integers need one; "1" leaves them as they are.

    Returns:
        An array of shape (N, *shape). If it would take more than 256 MiB, an object in its place: `evaluate` and
        others read its rows batch by batch, and `numpy.asarray` reads all of it.

    Raises:
        KgennError: KG401 for an invalid scale, KG602 for another shape, KG604 for integers without a scale.

    Warns:
        KgennWarning: KG651 if the range of the data makes the scale doubtful.
    """
    fraction = None if scale is None else parse_scale(scale, "scale")
    given = given_array(x, "data", "KG602")
    ready = prepared_rows(given, checked_shape(shape), fraction, "data")
    announce(scale_warnings(given, fraction, "data"))
    return ready


def model_record(path: Path) -> dict[str, str]:
    """Return what an output directory records of the model file: its name and SHA-256, not its path."""
    return {"file": path.name, "sha256": sha256_of(path)}
