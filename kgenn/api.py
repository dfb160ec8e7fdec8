"""The Python interface: load, check, convert, compile, evaluate."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kgenn.artifact import Artifact, read_directory, refuse_changes, write_artifact
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions, Simulator, Work
from kgenn.backends.simulate import simulate
from kgenn.checksums import sha256_of
from kgenn.conversion.base import Converter
from kgenn.conversion.constraints import known_features
from kgenn.conversion.legality import legalise
from kgenn.conversion.recipe import Recipe, recipe_of
from kgenn.convert_model import convert_model
from kgenn.credits import credits_of
from kgenn.data import Data, labels_of, parse_scale, refuse_integers
from kgenn.diagnostics import Diagnostic, announce, fail
from kgenn.encoders.base import Encoder
from kgenn.frontend import InputShape, Samples, read
from kgenn.ir.graph import Array, Graph
from kgenn.ir.input_statistics import StatisticsTally
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import SCORES, Recording, Wanted, batch_size_for
from kgenn.metrics.comparison import Comparison
from kgenn.metrics.early_exit import ExitTally
from kgenn.metrics.layer_error import ErrorTally, ann_classes, ideal_rates
from kgenn.metrics.result import AnnAccuracy, Result, Tally
from kgenn.passes import LoweringOptions
from kgenn.plausibility import doubts_of_run
from kgenn.search import Search
from kgenn.self_test import self_test

# How to pass integers.
AS_FLOATS = (
    "scale them as in training, kgenn.samples(x, shape, '1/255'), or pass x.astype('float32') where the model "
    "takes them as they are or scales them itself"
)
# Samples simulated at once: enough for any number of threads, few enough for the scores of long runs.
BATCH_SIZE = 64
# Multiply-accumulates of an ANN in NumPy that take a few seconds.
ANN_MACS = 1e10
Progress = Callable[[int], None]
# Called after each batch with the index of its first sample, its drive and its recording.
Observer = Callable[[int, Array, Recording], None]


def check(
    model: Any,
    converter: Converter | str | None = None,
    allow: Collection[str] = (),
    *,
    encoder: Encoder | str | None = None,
    residual: Literal["direct", "identity"] = "direct",
    pooling: Literal["auto", "fold", "population"] = "auto",
    pieces: int = LoweringOptions.pieces,
    readout: ReadoutKind | None = None,
    input_shape: Sequence[int] | None = None,
) -> list[Diagnostic]:
    """Return why a model does not convert, in layer order; empty if it does, whatever the calibration data.

    Found are all violations of the profile, and all that no connection or neuron can be. The arguments are those
    of `convert`.

    Raises:
        KgennError: KG1xx where the model cannot be read, KG401 for options that do not go together.
    """
    graph = as_graph(model, input_shape)
    recipe = recipe_of(converter, encoder, allow, LoweringOptions(residual, pooling, pieces), readout)
    known_features(recipe.allow)
    return list(legalise(graph, recipe).problems)


def convert(
    model: Any,
    *,
    calibration: Array,
    timesteps: int | Literal["auto"] | None = None,
    loss: float = Search.loss,
    most_timesteps: int | None = None,
    labels: Array | None = None,
    converter: Converter | str | None = None,
    encoder: Encoder | str | None = None,
    allow: Collection[str] = (),
    residual: Literal["direct", "identity"] = "direct",
    pooling: Literal["auto", "fold", "population"] = "auto",
    pieces: int = LoweringOptions.pieces,
    readout: ReadoutKind | None = None,
    seed: int = 0,
    check: bool = True,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Convert a trained model to a spiking network.

    Args:
        model: a path to .h5 or .keras, a live keras.Model, or a Graph.
        calibration: a few hundred training samples as the model takes them, shape (N, *input shape); no integers,
            see `kgenn.samples`.
        timesteps: T, at least 1: the K of few-spike, the t_max of time-to-first-spike; the converter's default
            if not given; with "auto" the fewest that lose little on the calibration set, see `kgenn.search`.
        loss: what "auto" may lose, in percentage points of accuracy.
        most_timesteps: what "auto" tries at most; by the method's code if not given.
        labels: of the calibration samples, for "auto": class indices of shape (N,), or one-hot; without them
            agreement with the model's predictions counts.
        converter: an object with its options, or a name; `DataNorm()` if not given.
        encoder: likewise; the converter's default if not given, `Direct()` for all of kgenn's own.
        allow: features beyond the strict profile, such as "bias" or "batch-norm".
        residual: for an Add without a ReLU after it, connect consumers to both branches, or add a spiking
            identity population.
        pooling: fold average pooling into the next connection, give it neurons, or decide by size.
        pieces: straight pieces of a curved function inside the network: neurons for each of its values.
        readout: the score of a class: "late-current" is the current it has integrated, step t weighted by
            (t + 1)²; "current" weights all steps alike; "spike-count" counts spikes of readout neurons. The
            converter's default if not given.
        seed: of the encoder's random numbers.
        check: keep up to 64 calibration samples apart and compare the network with its model on them; `agreement`
            of the network tells how well they agree. It takes some seconds.
        input_shape: of one sample, where the model leaves a size open; that of the calibration if not given.

    Raises:
        KgennError: with every violation, or the first error of a later stage.

    Warns:
        KgennWarning: what leaves the network in doubt; `Network.warnings` keeps it.
    """
    recipe = recipe_of(converter, encoder, allow, LoweringOptions(residual, pooling, pieces), readout, seed)
    steps = _steps(recipe, timesteps, Search(loss, most_timesteps))
    refuse_integers(calibration, "calibration data", AS_FLOATS)
    data = Data(np.asarray(calibration), labels)
    graph = as_graph(model, input_shape, Samples("calibration data", lambda: data.x.shape[1:]))
    network = convert_model(graph, recipe, data, steps, simulate, check=check).network()
    announce(network.warnings)
    return network


def _steps(recipe: Recipe, timesteps: Any, search: Search) -> int | Search:
    """Return a number of timesteps, or the search for it."""
    if isinstance(timesteps, str) and timesteps == "auto":
        return search
    return recipe.converter.default_timesteps if timesteps is None else _whole(timesteps)


def _whole(timesteps: Any) -> int:
    """Return a number of timesteps, of any type of whole numbers."""
    try:
        return operator.index(timesteps)
    except TypeError as error:
        raise fail("KG401", "timesteps", f"is {timesteps!r}", 'give a whole number, or "auto"') from error


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
    simulator = TARGETS.get(target)().load(network, None, RunOptions(threads, genn_python))
    return CompiledNetwork(Artifact(network, target), simulator)


def open_directory(
    directory: str | os.PathLike[str], options: RunOptions | None = None, target: str | None = None
) -> CompiledNetwork:
    """Open an output directory of `kgenn compile` or `CompiledNetwork.save`.

    Its code is built and loaded with your rights, unless the target is "reference": open what you trust. Before,
    files that were changed since kgenn wrote them are refused.

    Args:
        options: threads, the interpreter that has pygenn, whether edited files run, and the like.
        target: run the network on this target instead of the one it was compiled for.

    Raises:
        KgennError: KG605 where it is none, KG640 where a file of it was changed, KG5xx of the toolchain.
    """
    options = options or RunOptions()
    if not options.edited:
        refuse_changes(Path(directory))
    artifact = read_directory(Path(directory))
    chosen = artifact.target if target is None else target
    built = Path(directory) if chosen == artifact.target else None
    simulator = TARGETS.get(chosen)().load(artifact.network, built, options)
    return CompiledNetwork(Artifact(artifact.network, chosen), simulator)


class CompiledNetwork:
    """A network built for a target.

    Attributes:
        artifact: the network, the target, and where they came from.
    """

    def __init__(self, artifact: Artifact, simulator: Simulator) -> None:
        self.artifact = artifact
        self._simulator = simulator

    @property
    def network(self) -> Network:
        """Return the spiking network."""
        return self.artifact.network

    def evaluate(
        self,
        x: Array,
        y: Array | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
        observe: Observer | None = None,
        wanted: Wanted = SCORES,
        early_exit: float | None = None,
    ) -> Result:
        """Run samples and count what happens.

        Args:
            x: shape (N, *input shape), as the model takes them; no integers, see `kgenn.samples`.
            y: class indices of shape (N,), or one-hot.
            batch_size: samples simulated at once, fewer where every spike is wanted and would fill the memory; the
                result does not depend on it.
            progress: called with the number of samples finished after each batch.
            observe: called with the recording of each batch.
            wanted: what else those recordings shall hold.
            early_exit: also report the result of stopping each sample at the first step where one class reaches
                this softmax probability, in (0, 1]; see `kgenn.metrics.early_exit`. The run records every spike.

        Raises:
            KgennError: KG401 where the network knows no early exit, KG602 to KG604 for inputs that it does not
                take, KG607 for odd labels.

        Warns:
            KgennWarning: what leaves the figures in doubt; `Result.warnings` keeps it.
        """
        labels = labels_of(y, len(x), self.network.num_classes)
        tally = Tally(self.network)
        exits = None if early_exit is None else ExitTally(self.network, early_exit)
        if exits is not None:
            wanted = replace(wanted, trace=True, curve=True)
        elif observe is None:
            wanted = replace(wanted, per_sample=False)
        if wanted.trace:
            batch_size = batch_size_for(self.network, batch_size)
        self.prepare(len(x), batch_size, wanted.trace)
        seen = StatisticsTally()
        wall, cpu = 0.0, 0.0
        for start, drive in self._batches(x, batch_size, progress):
            wall_before, cpu_before = time.perf_counter(), self._cpu_seconds()
            recording = self._simulator.run(drive, start, wanted)
            wall += time.perf_counter() - wall_before
            cpu += self._cpu_seconds() - cpu_before
            seen.add(np.asarray(x[start : start + len(drive)]))
            right = None if labels is None else labels[start : start + len(drive)]
            tally.add(recording, right)
            if exits is not None:
                exits.add(recording, right)
            if observe is not None:
                observe(start, drive, recording)
        exited = None if exits is None else exits.result(labels is not None)
        result = tally.result(labels is not None, wall, cpu, self._simulator.kernel_seconds, exited)
        result = replace(result, warnings=doubts_of_run(self.network, seen.statistics()))
        announce(result.warnings)
        return result

    def prepare(self, count: int, batch_size: int = BATCH_SIZE, trace: bool = False) -> None:
        """Do ahead of a run what the target can do once for all batches; `evaluate` does it too.

        Args:
            count: of the samples that will run.
            batch_size: samples simulated at once, at most.
            trace: every spike will be recorded.
        """
        self._simulator.prepare(trace, min(batch_size, max(count, 1)))

    @property
    def work(self) -> tuple[Work, ...]:
        """Return how each connection was computed so far, where the target can choose; see `run --explain`."""
        return self._simulator.work

    def bibtex(self) -> str:
        """Return the BibTeX of every work that the network used, as `kgenn cite` prints it."""
        return "\n\n".join(credit.bibtex for credit in credits_of(self.artifact)) + "\n"

    def trace(self, x: Array, batch_size: int = BATCH_SIZE) -> Iterator[Recording]:
        """Yield the recording of each batch with every spike in it."""
        for start, drive in self._batches(x, batch_size, None):
            yield self._simulator.run(drive, start, Wanted(trace=True))

    def compare(
        self, x: Array, y: Array | None = None, batch_size: int = BATCH_SIZE, progress: Progress | None = None
    ) -> Comparison:
        """Compare each layer's firing rates with the ANN's activations, and the accuracies.

        The ANN here is the network's own, with weights on its integer grid. Arguments as for `evaluate`.
        """
        labels = labels_of(y, len(x), self.network.num_classes)
        tally = ErrorTally(self.network)

        def observe(start: int, drive: Array, recording: Recording) -> None:
            assert recording.worths is not None
            batch = None if labels is None else labels[start : start + len(drive)]
            tally.add(drive, recording.worths, batch)

        result = self.evaluate(x, labels, batch_size, progress, observe, Wanted(worths=True))
        ann_accuracy = None if labels is None else tally.ann_correct / max(len(x), 1)
        return Comparison(tally.errors(), ann_accuracy, result)

    def ann_accuracy(self, x: Array, y: Array, result: Result, most_macs: float = ANN_MACS) -> AnnAccuracy | None:
        """Return the accuracy of the network's weights as an ANN on the first samples of a run.

        Args:
            x, y: as for `evaluate`.
            result: of `evaluate` on these.
            most_macs: multiply-accumulates that it may take; so many samples are computed as they allow.

        Returns:
            None where they allow no sample.
        """
        network = self.network
        labels = labels_of(y, len(x), network.num_classes)
        count = min(len(x), int(most_macs / max(1, sum(c.connectivity.num_synapses for c in network.connections))))
        if labels is None or count == 0:
            return None
        right = 0
        for start, drive in self._batches(x[:count], BATCH_SIZE, None):
            ideal = ideal_rates(network, drive.astype(np.float64) / network.coding.levels)
            right += int((ann_classes(network, ideal) == labels[start : start + len(drive)]).sum())
        own = float((result.predictions[:count] == labels[:count]).mean())
        return AnnAccuracy(count, right / count, own)

    def save(self, directory: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the output directory: manifest, network, sources; see `kgenn run`.

        Args:
            overwrite: replace an older output even where that removes files that kgenn did not write.

        Raises:
            KgennError: KG606 where it cannot be written, or holds something else.
        """
        program = TARGETS.get(self.artifact.target)().emit(self.network)
        write_artifact(Path(directory), self.artifact.files(program, self_test(self.network)), overwrite)

    def _cpu_seconds(self) -> float:
        """Return the CPU time so far of this process and of the simulator's own."""
        return time.process_time() + self._simulator.child_cpu_seconds

    def _batches(self, x: Array, size: int, progress: Progress | None) -> Iterator[tuple[int, Array]]:
        if size < 1:
            raise fail("KG401", "batch_size", f"is {size}; at least 1 is needed")
        refuse_integers(x, "data", AS_FLOATS)
        for start in range(0, len(x), size):
            drive = self.network.drive(np.asarray(x[start : start + size]))
            yield start, drive
            if progress is not None:
                progress(len(drive))


def as_graph(model: Any, input_shape: Sequence[int] | None = None, samples: Samples | None = None) -> Graph:
    """Return a model as a graph; see `kgenn.frontend.input_shape` for what sets the sizes that it leaves open."""
    return read(model, InputShape.of(input_shape, samples))


def samples(x: Array, shape: tuple[int, ...], scale: str | Fraction | None = None) -> Array:
    """Return raw samples as a model takes them: float32, multiplied by a scale, with a channel axis.

    Args:
        x: shape (N, *shape), or without a channel axis of length 1.
        shape: of one sample as the model takes it, such as `Graph.input_shape`.
        scale: such as "1/255"; integers need one, and "1" takes them as they are.

    Raises:
        KgennError: KG401 for an odd scale, KG602 for another shape, KG604 for integers without a scale.

    Warns:
        KgennWarning: KG651 where the data do not look as if they needed the scale.
    """
    fraction = parse_scale(scale) if isinstance(scale, str) else scale
    data = Data(np.asarray(x), None).prepared(shape, fraction, "data")
    announce(data.warnings)
    return data.x


def model_record(path: Path) -> dict[str, str]:
    """Return what an output directory records of the model file: its name and SHA-256, not its path."""
    return {"file": path.name, "sha256": sha256_of(path)}
