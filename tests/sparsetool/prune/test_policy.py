"""What is pruned in each kind of model, and what is said of the rest."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.prune.structures import Block, Channels

pytestmark = pytest.mark.keras


def paths(selection):
    return [chosen.variable.path for chosen in selection.pruned]


def reasons(selection):
    return {skip.variable: skip.reason for skip in selection.skipped}


def test_kernels_are_pruned_and_every_other_variable_has_its_reason(small_model):
    selection = prune.select_variables(small_model)
    assert paths(selection) == ["small/conv/kernel", "small/hidden/kernel", "small/logits/kernel"]
    assert reasons(selection) == {
        f"small/{name}/bias": "has 1 axis, as a bias or a scale has" for name in ("conv", "hidden", "logits")
    }


def test_exclude_wins_and_says_by_which_pattern(small_model):
    selection = prune.select_variables(small_model, include=["*/kernel"], exclude=["*/logits/*"])
    assert paths(selection) == ["small/conv/kernel", "small/hidden/kernel"]
    assert reasons(selection)["small/logits/kernel"] == "is excluded by '*/logits/*'"
    assert reasons(selection)["small/conv/bias"] == "is not included"


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("include", {"include": ["*/hiden/*"]}),
        ("exclude", {"exclude": ["*/hiden/*"]}),
        ("rules", {"rules": [prune.Rule(pattern="*/hiden/*")]}),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error_that_names_what_is_near(small_model, argument, given):
    with pytest.raises(prune.PruningError) as caught:
        prune.select_variables(small_model, **given)
    assert str(caught.value) == (
        f"{argument}: '*/hiden/*' matches no trainable variable; near it are small/hidden/kernel, small/hidden/bias"
    )


def test_a_pattern_fits_the_paths_of_a_model_that_was_saved_and_loaded(small_model, tmp_path):
    import keras

    small_model.save(tmp_path / "small.keras")
    x = keras.Input((8, 8, 1))
    functional = keras.Model(x, keras.layers.Dense(2, name="hidden")(keras.layers.Flatten()(x)))
    for model in (small_model, keras.models.load_model(tmp_path / "small.keras"), functional):
        (path,) = paths(prune.select_variables(model, include=["*/hidden/kernel"]))
        assert path in ("small/hidden/kernel", "hidden/kernel")


@pytest.mark.parametrize("argument", ["include", "exclude"])
def test_one_text_instead_of_several_patterns_is_an_error(small_model, argument):
    with pytest.raises(prune.PruningError, match=argument + r": must be several patterns, as in \['\*/hidden/\*'\]"):
        prune.select_variables(small_model, **{argument: "*/hidden/*"})


def test_what_is_no_structure_is_an_error(small_model):
    with pytest.raises(prune.PruningError, match=r"structure: structure must be a Block, .* got \(1, 4\)"):
        prune.select_variables(small_model, structure=(1, 4))


def test_a_pattern_that_is_like_nothing_is_an_error_that_lists_what_there_is(small_model):
    with pytest.raises(prune.PruningError, match=r"'xyz' matches no trainable variable; there are small/conv/kernel, "):
        prune.select_variables(small_model, include=["xyz"])


def test_a_choice_of_nothing_but_biases_is_an_error(small_model):
    with pytest.raises(prune.PruningError, match="nothing is left to prune"):
        prune.select_variables(small_model, include=["*/bias"])


def test_a_model_that_is_not_built_is_an_error():
    import keras

    with pytest.raises(prune.PruningError, match="no trainable variables yet; build it"):
        prune.select_variables(keras.Sequential([keras.layers.Dense(2)]))


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
def test_a_layer_that_is_not_built_yet_is_listed():
    import keras

    class HalfBuilt(keras.Model):
        def __init__(self):
            super().__init__(name="half")
            self.used = keras.layers.Dense(4, name="used")
            self.waiting = keras.layers.Dense(4, name="waiting")

        def call(self, x):
            return self.used(x)

    model = HalfBuilt()
    model(np.zeros((1, 4), np.float32))
    assert reasons(prune.select_variables(model)) == {
        "half/used/bias": "has 1 axis, as a bias or a scale has",
        "waiting": "is not built, so it has no weights yet",
    }


def test_a_frozen_layer_is_left_alone(small_model):
    small_model.get_layer("conv").trainable = False
    selection = prune.select_variables(small_model)
    assert paths(selection) == ["small/hidden/kernel", "small/logits/kernel"]
    assert reasons(selection)["small/conv/kernel"] == "is frozen: it, or a layer that it is in, is not trainable"


def test_layers_inside_a_frozen_layer_are_left_alone(small_model):
    import keras

    x = keras.Input((8, 8, 1))
    model = keras.Model(x, keras.layers.Dense(2, name="head")(small_model(x)), name="outer")
    small_model.trainable = False
    selection = prune.select_variables(model)
    assert paths(selection) == ["head/kernel"]
    assert len(selection.skipped) == 7


def test_layers_inside_layers_and_subclassed_models_are_found_once():
    import keras

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


def test_a_layer_that_is_called_twice_counts_once():
    import keras

    shared = keras.layers.Dense(4, name="shared")
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Add()([shared(x), shared(shared(x))]))
    assert len(prune.select_variables(model).pruned) == 1


def test_a_tied_variable_counts_once_and_lies_as_the_layer_that_keras_knows_has_it():
    import keras

    class Unembed(keras.layers.Layer):
        def __init__(self, embedding):
            super().__init__(name="unembed")
            self.table = embedding.embeddings

        def call(self, x):
            return keras.ops.matmul(x, keras.ops.transpose(self.table))

    embedding = keras.layers.Embedding(10, 4, name="embedding")
    embedding.build((None, 3))
    tokens = keras.Input((3,), dtype="int32")
    model = keras.Model(tokens, Unembed(embedding)(embedding(tokens)))
    (chosen,) = prune.select_variables(model).pruned
    assert (chosen.layout.tflite_shape, chosen.layout.operator) == ((10, 4), "GATHER")


def test_weights_of_custom_layers_and_of_the_model_itself_are_pruned():
    import keras

    class Mix(keras.layers.Layer):
        def build(self, shape):
            self.mix = self.add_weight(shape=(shape[-1], 6), name="mix")
            self.token = self.add_weight(shape=(1, 6), name="token")
            self.bias = self.add_weight(shape=(2, 3), name="bias")
            self.count = self.add_weight(shape=(2, 2), dtype="int32", initializer="zeros", name="count")
            self.seen = self.add_weight(shape=(2, 2), trainable=False, name="seen")

        def call(self, x):
            return x @ self.mix + self.token + keras.ops.reshape(self.bias, (6,))

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.mixing = Mix(name="mixing")

        def build(self, shape):
            self.table = self.add_weight(shape=(6, 2), name="table")
            super().build(shape)

        def call(self, x):
            return self.mixing(x) @ self.table

    model = Net()
    model(np.zeros((1, 4), np.float32))
    selection = prune.select_variables(model)
    assert {c.variable.name: c.layout.tflite_shape for c in selection.pruned} == {"table": (2, 6), "mix": (6, 4)}
    assert {path.rpartition("/")[2]: reason for path, reason in reasons(selection).items()} == {
        "token": "is a vector: of its shape (1, 6) one axis at most is longer than 1",
        "bias": "is a bias, which is added or scales, and is multiplied with no inputs",
        "count": "is int32, not floating",
    }


def test_what_scales_adds_or_adapts_is_left_alone_whatever_its_shape():
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((6, 8)),
            layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de", name="heads"),
            layers.Reshape((6, 8)),
            layers.PReLU(name="slopes"),
            layers.LayerNormalization(axis=(1, 2), name="norm"),
            layers.Dense(8, name="adapted"),
            layers.EinsumDense("abc,bc->abc", output_shape=(6, 8), name="elementwise"),
        ],
        name="m",
    )
    model.get_layer("adapted").enable_lora(2)
    selection = prune.select_variables(model)
    assert paths(selection) == ["m/heads/kernel"]
    scales = "which is added or scales, and is multiplied with no inputs"
    adapter = "is a low-rank adapter (LoRA), which is added to a kernel"
    assert reasons(selection) == {
        "m/heads/bias": f"is a bias, {scales}",
        "m/slopes/alpha": f"is an alpha, {scales}",
        "m/norm/gamma": f"is a gamma, {scales}",
        "m/norm/beta": f"is a beta, {scales}",
        "m/adapted/bias": "has 1 axis, as a bias or a scale has",
        "m/adapted/kernel": "is frozen: it, or a layer that it is in, is not trainable",
        "m/adapted/lora_kernel_a": adapter,
        "m/adapted/lora_kernel_b": adapter,
        "m/elementwise/kernel": "is multiplied element by element, by the equation of its EinsumDense",
    }


def test_of_several_rules_the_last_that_says_something_wins(small_model):
    rules = [
        prune.Rule(target_sparsity=0.5, structure=Block((1, 2))),
        prune.Rule(layers=("Conv2D",), prune=False, reason="is small"),
        prune.Rule(pattern="*/logits/*", target_sparsity=0.25),
    ]
    selection = prune.select_variables(small_model, rules=rules)
    assert [(c.variable.path, c.structure, c.target_sparsity) for c in selection.pruned] == [
        ("small/hidden/kernel", Block((1, 2)), 0.5),
        ("small/logits/kernel", Block((1, 2)), 0.25),
    ]
    assert reasons(selection)["small/conv/kernel"] == "is small"


def test_a_later_rule_takes_back_what_an_earlier_one_left_alone(small_model):
    rules = [prune.Rule(prune=False), prune.Rule(pattern="*/hidden/*", prune=True)]
    selection = prune.select_variables(small_model, rules=rules)
    assert paths(selection) == ["small/hidden/kernel"]
    assert reasons(selection)["small/conv/kernel"] == "is left alone by the rule for '*'"


def test_a_rule_for_a_layer_holds_for_what_is_inside_it_and_for_subclasses():
    import keras
    from keras import layers

    class MyDense(layers.Dense):
        pass

    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Bidirectional(layers.LSTM(3, name="lstm")), MyDense(2, name="head")], name="m"
    )
    rules = [prune.Rule(layers=("LSTM",), target_sparsity=0.25), prune.Rule(layers=("Dense",), target_sparsity=0.5)]
    selection = prune.select_variables(model, rules=rules)
    assert [c.target_sparsity for c in selection.pruned] == [0.25] * 4 + [0.5]


def test_a_rule_for_a_class_that_the_model_does_not_have_is_an_error(small_model):
    with pytest.raises(prune.PruningError, match=r"'Conv3D' is the class of no layer .* did you mean .*Conv2D"):
        prune.select_variables(small_model, rules=[prune.Rule(layers=("Conv3D",))])


def test_a_rule_whose_pattern_and_class_never_meet_is_an_error(small_model):
    rule = prune.Rule(pattern="*/hidden/*", layers=("Conv2D",))
    with pytest.raises(prune.PruningError, match=r"'\*/hidden/\*' matches no trainable variable of Conv2D; it matches"):
        prune.select_variables(small_model, rules=[rule])


def test_a_rule_for_operators_is_about_what_the_weights_become(small_model):
    rules = [prune.Rule(operators=("CONV_2D",), prune=False, reason="is a convolution")]
    selection = prune.select_variables(small_model, rules=rules)
    assert paths(selection) == ["small/hidden/kernel", "small/logits/kernel"]


def test_a_structure_that_does_not_fit_is_an_error_that_names_the_variable(small_model):
    with pytest.raises(prune.PruningError, match="small/conv/kernel: its 1 inputs are not a multiple of the 16"):
        prune.select_variables(small_model, structure=Block((1, 16)))


def test_a_rule_may_leave_alone_what_does_not_fit_or_has_too_many_columns(small_model):
    rules = [prune.Rule(structure=Block((1, 16)), leave_misfits=True, max_columns=100, reason="a kernel of 100")]
    selection = prune.select_variables(small_model, rules=rules)
    assert paths(selection) == ["small/logits/kernel"]
    assert reasons(selection)["small/conv/kernel"].startswith("does not fit: its 1 inputs are not a multiple of")
    assert reasons(selection)["small/hidden/kernel"] == "has 144 columns, more than 100 (a kernel of 100)"
    taken_back = prune.Rule(pattern="*/hidden/*", structure=Block((1, 4)))
    selection = prune.select_variables(small_model, rules=[*rules, taken_back])
    assert paths(selection) == ["small/hidden/kernel", "small/logits/kernel"]


def test_channels_of_a_depthwise_kernel_are_refused():
    import keras

    model = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.DepthwiseConv2D(3, name="depthwise")], name="m")
    with pytest.raises(prune.PruningError, match="m/depthwise/kernel: has one output on the TFLite layout"):
        prune.select_variables(model, structure=Channels())
