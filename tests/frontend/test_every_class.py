"""Every public class of keras.layers is read, or refused with a reason of its own."""

from __future__ import annotations

import inspect

import keras
import pytest
from keras import layers

from kgenn.frontend.model_config import MODEL_CLASSES
from kgenn.layers import LAYERS
from model_files import functional, layer, only_error

# A class that Keras adds is in neither list: read it, or say here and in `kgenn.frontend.problems` why not.
REFUSED = {
    **dict.fromkeys(
        ("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "RNN"), "recurrent"
    ),
    **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"), "recurrent"),
    **dict.fromkeys(("CategoryEncoding", "Discretization", "Embedding", "HashedCrossing", "Hashing"), "a table"),
    **dict.fromkeys(("IntegerLookup", "ReversibleEmbedding", "StringLookup", "TextVectorization"), "a table"),
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "spectra"),
    **dict.fromkeys(("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"), "inference"),
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), "framework"),
    **dict.fromkeys(("Layer", "Wrapper"), "base class"),
    "Lambda": "Python code",
    "MaxNumBoundingBoxes": "bounding boxes",
}
# what is read without a reader of its own: a model of what it holds
HOLDING = {*MODEL_CLASSES, "Pipeline", "SpectralNormalization", "TimeDistributed"}
CLASSES = sorted(
    {
        name if getattr(layers, name).__name__ not in dir(layers) else getattr(layers, name).__name__
        for name in dir(layers)
        if inspect.isclass(getattr(layers, name)) and issubclass(getattr(layers, name), keras.Layer)
    }
)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_read_or_refused(name: str) -> None:
    assert (name in LAYERS or name in HOLDING) != (name in REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_says_why(name, tmp_path):
    code = "KG111" if REFUSED[name] in ("recurrent", "a table") else "KG105"
    found = only_error(functional(tmp_path / "m.h5", layer(name, "y", [[["x", 0, 0, {}]]])), code, REFUSED[name])
    assert found.help


def test_the_list_of_refusals_names_classes_of_keras() -> None:
    assert set(REFUSED) <= set(dir(layers))
