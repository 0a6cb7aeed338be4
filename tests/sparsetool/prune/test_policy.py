import pytest

from sparsetool import prune

pytestmark = pytest.mark.keras


def paths(selection):
    return [variable.path for variable in selection.pruned]


def reasons(selection):
    return {skip.variable: skip.reason for skip in selection.skipped}


def test_kernels_are_pruned_and_every_other_variable_has_its_reason(small_model):
    selection = prune.select_variables(small_model)
    assert paths(selection) == ["small/conv/kernel", "small/hidden/kernel", "small/logits/kernel"]
    assert reasons(selection) == {
        f"small/{name}/bias": "is not a kernel (it has 1 axes and is named 'bias')"
        for name in ("conv", "hidden", "logits")
    }


def test_exclude_wins_and_says_by_which_pattern(small_model):
    selection = prune.select_variables(small_model, include=["*/kernel"], exclude=["*/logits/*"])
    assert paths(selection) == ["small/conv/kernel", "small/hidden/kernel"]
    assert reasons(selection)["small/logits/kernel"] == "is excluded by '*/logits/*'"
    assert reasons(selection)["small/conv/bias"] == "is not included"


def test_a_pattern_that_matches_nothing_is_an_error_that_lists_what_there_is(small_model):
    with pytest.raises(prune.PruningError, match=r"'\*/hiden/\*' matches no trainable variable; there are .*hidden"):
        prune.select_variables(small_model, exclude=["*/hiden/*"])


def test_a_choice_of_nothing_but_biases_is_an_error(small_model):
    with pytest.raises(prune.PruningError, match="nothing is left to prune"):
        prune.select_variables(small_model, include=["*/bias"])


def test_a_model_that_is_not_built_is_an_error():
    import keras

    with pytest.raises(prune.PruningError, match="no trainable variables yet"):
        prune.select_variables(keras.Sequential([keras.layers.Dense(2)]))


def test_depthwise_kernels_and_embeddings_are_left_alone():
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Flatten(),
            layers.Dense(2, name="dense"),
        ],
        name="m",
    )
    selection = prune.select_variables(model)
    assert paths(selection) == ["m/dense/kernel"]
    assert reasons(selection)["m/depthwise/kernel"] == "belongs to a DepthwiseConv2D, which is not pruned"


def test_a_frozen_layer_is_not_listed(small_model):
    small_model.get_layer("conv").trainable = False
    assert paths(prune.select_variables(small_model)) == ["small/hidden/kernel", "small/logits/kernel"]


def test_layers_inside_layers_and_subclassed_models_are_found_once():
    import keras
    import numpy as np

    class Twice(keras.Model):
        def __init__(self):
            super().__init__(name="twice")
            self.inner = keras.Sequential([keras.layers.Dense(4, name="inner")])
            self.head = keras.layers.Dense(4, name="head")
            self.same_head = self.head

        def call(self, x):
            return self.same_head(self.head(self.inner(x)))

    model = Twice()
    model(np.zeros((1, 4), np.float32))
    assert len(prune.select_variables(model).pruned) == 2
