"""kgenn: compile trained Keras models to spiking neural networks.

graph = kgenn.load("model.h5")
network = kgenn.convert(graph, calibration=x_train[:512], timesteps=64)
print(kgenn.compile(network).evaluate(x_test, y_test))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgenn.api import check, compile, convert, open_directory, samples
    from kgenn.artifact.verification import verify
    from kgenn.compiled import CompiledNetwork
    from kgenn.conversion.burst import Burst
    from kgenn.conversion.calibrated import Calibrated
    from kgenn.conversion.data_norm import DataNorm
    from kgenn.conversion.few_spike import FewSpike
    from kgenn.conversion.fission import Fission
    from kgenn.conversion.spike_norm import SpikeNorm
    from kgenn.conversion.threshold_relu import ThresholdReLU
    from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
    from kgenn.conversion.unscaled import Unscaled
    from kgenn.diagnostics import Diagnostic, KgennError, KgennWarning
    from kgenn.encoders.direct import Direct
    from kgenn.encoders.integrate_fire import IntegrateFire
    from kgenn.encoders.poisson import Poisson, PoissonSigned
    from kgenn.encoders.spike import Spike
    from kgenn.encoders.stage import FewSpikeInput, FewSpikeSignedInput, TtfsInput
    from kgenn.events.binning import bin_events
    from kgenn.export.ml_genn import to_ml_genn
    from kgenn.export.nir import to_nir
    from kgenn.frontend import load
    from kgenn.ir.graph import Graph
    from kgenn.ir.network import Network
    from kgenn.metrics.result import Result
    from kgenn.stream import Stream

__version__ = "0.2.0"

# Everything public, imported when it is first used: `import kgenn` itself loads nothing heavy.
_HOMES = {
    "Burst": "kgenn.conversion.burst",
    "Calibrated": "kgenn.conversion.calibrated",
    "CompiledNetwork": "kgenn.compiled",
    "DataNorm": "kgenn.conversion.data_norm",
    "Diagnostic": "kgenn.diagnostics",
    "Direct": "kgenn.encoders.direct",
    "FewSpike": "kgenn.conversion.few_spike",
    "Fission": "kgenn.conversion.fission",
    "FewSpikeInput": "kgenn.encoders.stage",
    "FewSpikeSignedInput": "kgenn.encoders.stage",
    "Graph": "kgenn.ir.graph",
    "IntegrateFire": "kgenn.encoders.integrate_fire",
    "KgennError": "kgenn.diagnostics",
    "KgennWarning": "kgenn.diagnostics",
    "Network": "kgenn.ir.network",
    "Poisson": "kgenn.encoders.poisson",
    "PoissonSigned": "kgenn.encoders.poisson",
    "Result": "kgenn.metrics.result",
    "Spike": "kgenn.encoders.spike",
    "SpikeNorm": "kgenn.conversion.spike_norm",
    "Stream": "kgenn.stream",
    "ThresholdReLU": "kgenn.conversion.threshold_relu",
    "TimeToFirstSpike": "kgenn.conversion.time_to_first_spike",
    "TtfsInput": "kgenn.encoders.stage",
    "Unscaled": "kgenn.conversion.unscaled",
    "bin_events": "kgenn.events.binning",
    "check": "kgenn.api",
    "compile": "kgenn.api",
    "convert": "kgenn.api",
    "load": "kgenn.frontend",
    "open_directory": "kgenn.api",
    "samples": "kgenn.api",
    "to_ml_genn": "kgenn.export.ml_genn",
    "to_nir": "kgenn.export.nir",
    "verify": "kgenn.artifact.verification",
}

__all__ = [
    "Burst",
    "Calibrated",
    "CompiledNetwork",
    "DataNorm",
    "Diagnostic",
    "Direct",
    "FewSpike",
    "FewSpikeInput",
    "FewSpikeSignedInput",
    "Fission",
    "Graph",
    "IntegrateFire",
    "KgennError",
    "KgennWarning",
    "Network",
    "Poisson",
    "PoissonSigned",
    "Result",
    "Spike",
    "SpikeNorm",
    "Stream",
    "ThresholdReLU",
    "TimeToFirstSpike",
    "TtfsInput",
    "Unscaled",
    "bin_events",
    "check",
    "compile",
    "convert",
    "load",
    "open_directory",
    "samples",
    "to_ml_genn",
    "to_nir",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kgenn' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
