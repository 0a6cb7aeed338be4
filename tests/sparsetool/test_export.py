"""From Keras to a dense .tflite, zeros stored."""

import numpy as np
import pytest

from sparsetool.export import export_keras, export_model
from sparsetool.verify import FinishedRun, KernelSet, run_model
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
    first = model.layers[0]
    kernel, bias = first.get_weights()
    kernel[0] = 0.0
    first.set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def exported(network):
    return export_model(network)


def test_the_exported_model_answers_as_keras_does(network, exported, tmp_path):
    x = np.random.default_rng(2).random((5, 4), np.float32)
    path = tmp_path / "model.tflite"
    path.write_bytes(exported)
    run = run_model(path, x, KernelSet.REFERENCE, timeout_s=60.0)
    assert isinstance(run, FinishedRun)
    assert np.allclose(run.outputs[0].values[:, 0], network.predict(x, verbose=0), atol=1e-6)


def test_zeros_are_stored_and_the_batch_size_is_one(exported):
    graph = Model.from_bytes(exported).subgraphs[0]
    assert [t.shape for t in graph.inputs] == [(1, 4)]
    weight = next(t for t in graph.tensors if t.is_constant and t.shape == (3, 4))
    assert not weight.is_sparse
    assert not weight.array()[:, 0].any()


def test_two_exports_are_the_same_bytes(network, exported):
    assert export_model(network) == exported


def test_a_keras_file_gives_what_its_model_gives(network, exported, tmp_path):
    path = tmp_path / "model.keras"
    network.save(path)
    saved, built = (Model.from_bytes(data).subgraphs[0] for data in (export_keras(path), exported))
    weights = [[t.array().tobytes() for t in graph.tensors if t.is_constant] for graph in (saved, built)]
    assert sorted(weights[0]) == sorted(weights[1])


def test_an_operation_that_tflite_does_not_have_is_refused_by_name_of_the_model():
    import keras

    class Unheard(keras.layers.Layer):
        def call(self, x):
            from tensorflow.raw_ops import Betainc

            return Betainc(a=x, b=x, x=x)

    model = keras.Sequential([keras.Input((4,)), Unheard()])
    with pytest.raises(ModelFormatError, match=r"^toy: cannot be converted to TFLite: ") as caught:
        export_model(model, where="toy")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_without_a_model_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("no archive")
    with pytest.raises(ModelFormatError, match="Keras cannot load it: ") as caught:
        export_keras(path)
    assert len(str(caught.value).splitlines()) == 1
