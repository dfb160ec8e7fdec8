"""Operations on tensors that stand in a model are computed as Keras computes them."""

from __future__ import annotations

import pytest

from keras_models import randomise
from keras_operations import OPERATIONS
from test_against_keras import FORMATS, assert_equal_outputs, read, samples


@pytest.mark.parametrize("name", OPERATIONS)
def test_forward_equals_keras_in_every_format(name, tmp_path):
    model = randomise(OPERATIONS[name]())
    inputs = samples(model)
    expected = model(inputs if len(inputs) > 1 else inputs[0])
    for form in FORMATS:
        assert_equal_outputs(read(model, form, tmp_path), inputs, expected)
