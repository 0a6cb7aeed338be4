"""What is pruned for a runtime is what the planner encodes for it, in the same blocks."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.export import export_model
from sparsetool.prune.masks import keep_mask
from sparsetool.prune.structures import ELEMENT, Block
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.passes.quantize import Quantize
from sparsetool_converters.passes.recipes import RECIPES, Quantization
from sparsetool_converters.plan import Encode, make_plan
from sparsetool_converters.targets import LITERT, TARGETS, TFLM, Route

NATIVE = [way for way in LITERT.rules if way.route is Route.NATIVE]


def structures(rules):
    return {operator: rule.structure for rule in rules for operator in rule.operators}


@pytest.mark.parametrize("quantize", ["none", "dynamic", "int8", "dynamic_wi8_afp32+octav"])
def test_blocks_and_limits_are_those_of_the_table(quantize):
    from sparsetool_converters.passes.recipes import recipe_named

    (way,) = (way for way in NATIVE if way.use == recipe_named(quantize).use_by("FULLY_CONNECTED"))
    found = {rule.operators: rule for rule in prune.for_target("litert", quantize=quantize)}
    rule = found[("FULLY_CONNECTED",)]
    assert rule.structure.block_size in way.blocks
    assert np.prod(rule.structure.block_size) == max(map(np.prod, way.blocks))
    assert (rule.max_columns is None) == (way.max_columns is None)
    if rule.max_columns is not None:
        assert rule.max_columns <= way.max_columns
        assert rule.max_columns // rule.structure.block_size[1] == way.max_blocks_per_row
    assert [r.prune for r in found.values() if r is not rule] == [False] * (len(found) - 1)


def test_every_operator_that_is_left_alone_has_a_reason_from_the_table():
    reasons = {rule.operators[0]: rule.reason for rule in prune.for_target("litert", quantize="dynamic")}
    assert reasons["CONV_2D"].startswith("goes to CONV_2D: int8 weights behind DENSIFY fail to load under XNNPACK")
    assert "no sparse kernel for (unpacked at load: RAM" in reasons["DEPTHWISE_CONV_2D"]
    assert reasons["CONV_3D"].startswith("goes to CONV_3D: nothing is known to run CONV_3D with INT8 weights")
    assert reasons[""].startswith("belongs to no layer that Keras defines")


def test_the_micro_runtime_unpacks_a_bitmap_so_single_weights_are_pruned():
    found = structures(prune.for_target("tflm", quantize="int8"))
    decoded = {way.use.op for way in TFLM.rules if (way.use.weight, way.use.activation) == ("INT8", "INT8")}
    assert {operator for operator, structure in found.items() if structure == ELEMENT} == decoded
    assert set(found.values()) == {ELEMENT, None}


@pytest.mark.parametrize(
    ("target", "quantize", "problem"),
    [
        ("portable", "none", "portable reads no sparse weights, so no structure suits it better than another"),
        ("litert", "float16", "no sparse weights of a model quantized by 'float16', but by none, dynamic, int8;"),
        ("tflm", "dynamic", "no sparse weights of a model quantized by 'dynamic', but by none, int8;"),
        ("litert", "dynamic_wi8_afp32_hadamard", "makes other numbers of zeros"),
        ("litert", "sample_advanced_usage", "reads no sparse weights of a model quantized by 'sample_advanced_usage'"),
    ],
)
def test_where_nothing_is_read_sparse_there_are_no_rules_but_one_line(target, quantize, problem):
    with pytest.raises(prune.PruningError) as caught:
        prune.for_target(target, quantize=quantize)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("target", "quantize"), [("litter", "none"), ("litert", "dynamc")])
def test_an_unknown_name_is_an_error(target, quantize):
    with pytest.raises(UsageError, match=f"{target if target != 'litert' else quantize}"):
        prune.for_target(target, quantize=quantize)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_rules_have_blocks_or_a_reason_and_errors_one_line_for_any_target_and_recipe(target, recipe):
    problem = ""
    rules = ()
    try:
        rules = prune.for_target(target, quantize=recipe.name)
    except UsageError as error:
        problem = str(error)
    assert bool(rules) != bool(problem)
    assert "\n" not in problem
    assert all(rule.structure is not None or rule.reason for rule in rules)


def _dense():
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((6, 6, 32)),
            layers.Conv2D(8, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(10, name="logits"),
        ],
        name="m",
    )


def _attention():
    import keras
    from keras import layers

    x = keras.Input((8, 64))
    y = layers.MultiHeadAttention(num_heads=4, key_dim=16, name="attention")(x, x)
    return keras.Model(x, layers.EinsumDense("abc,cd->abd", output_shape=(None, 32), name="last")(y), name="m")


def _separable():
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            layers.SeparableConv2D(32, 3, name="separable"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(48, name="hidden"),
        ],
        name="m",
    )


def _recurrent():
    import keras
    from keras import layers

    return keras.Sequential([keras.Input((7, 32)), layers.LSTM(32, name="lstm"), layers.Dense(8)], name="m")


def _pruned(model, rules, sparsity):
    """Give each variable that the rules choose numbers that occur nowhere else, and prune it as the trainer does."""
    random = np.random.default_rng(5)
    selection = prune.select_variables(model, rules=rules)
    for chosen in selection.pruned:
        weights = random.normal(0, 0.1, chosen.layout.tflite_shape).astype(np.float32)
        kept = keep_mask(np.abs(weights), sparsity, chosen.structure)
        chosen.variable.assign(chosen.layout.from_tflite(np.where(kept, weights, np.float32(0))))
    return selection


@pytest.mark.keras
@pytest.mark.parametrize("build", [_dense, _attention, _separable])
@pytest.mark.parametrize("quantize", [Quantization.NONE, Quantization.DYNAMIC, Quantization.INT8])
def test_the_planner_encodes_exactly_what_was_pruned_natively_in_the_very_blocks(build, quantize):
    model = build()
    selection = _pruned(model, prune.for_target("litert", quantize=quantize), 0.9)
    shapes = sorted(chosen.layout.tflite_shape for chosen in selection.pruned)
    (structure,) = {chosen.structure for chosen in selection.pruned}
    exported = Model.from_bytes(export_model(model))
    if quantize is not Quantization.NONE:
        (x,) = exported.subgraphs[0].inputs
        samples = np.random.default_rng(6).normal(size=(8, *x.shape)).astype(np.float32)
        Quantize(quantize, samples)(exported)
    encoded = make_plan(exported, LITERT).encoded()
    assert sorted(decision.shape for decision in encoded) == shapes
    for decision in encoded:
        assert (decision.rule.route, decision.layout) == (Route.NATIVE, str(structure))


@pytest.mark.keras
def test_training_by_these_rules_ends_with_what_the_planner_encodes(small_model, fit):
    rules = (*prune.for_target("litert"), prune.Rule(pattern="*/logits/*", target_sparsity=0.5))
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.75, 0, frequency=4), rules=rules)
    fit(small_model, pruner.callback())
    assert [(v.variable, v.sparsity) for v in pruner.check()] == [
        ("small/hidden/kernel", 0.75),
        ("small/logits/kernel", 0.5),
    ]
    plan = make_plan(Model.from_bytes(export_model(small_model)), LITERT)
    (encoded,) = plan.encoded()
    assert (encoded.shape, encoded.rule.route, encoded.layout) == ((16, 144), Route.NATIVE, "block 1x4")
    reasons = [d.reason for d in plan.decisions if d.shape == (4, 16)]
    assert "block 1x4" in reasons[0]  # the best way for it, too, but 64 weights are not worth one


@pytest.mark.keras
def test_recurrent_kernels_are_encoded_in_the_body_of_their_loop():
    model = _recurrent()
    selection = _pruned(model, prune.for_target("litert"), 0.9)
    encoded = make_plan(Model.from_bytes(export_model(model)), LITERT).encoded()
    assert sorted(decision.shape for decision in encoded) == [(8, 32), (128, 32), (128, 32)]
    assert {(d.rule.route, d.layout) for d in encoded} == {(Route.NATIVE, "block 1x4")}
    assert len(selection.pruned) == 3


@pytest.mark.keras
@pytest.mark.parametrize("kind", ["called twice", "TimeDistributed", "unrolled"])
def test_weights_that_several_operators_read_are_encoded_as_those_of_one(kind):
    import keras
    from keras import layers

    x = keras.Input((4, 32))
    shared = layers.Dense(32)
    y = {
        "called twice": lambda: shared(shared(x)),
        "TimeDistributed": lambda: layers.TimeDistributed(shared)(x),
        "unrolled": lambda: layers.SimpleRNN(32, unroll=True)(x),
    }[kind]()
    model = keras.Model(x, y)
    selection = _pruned(model, prune.for_target("litert"), 0.9)
    plan = make_plan(Model.from_bytes(export_model(model)), LITERT)
    assert len(plan.encoded()) == len(selection.pruned)
    assert {decision.choice.route for decision in plan.encoded()} == {Route.NATIVE}


@pytest.mark.keras
def test_the_micro_planner_encodes_exactly_what_was_pruned():
    model = _separable()
    selection = _pruned(model, prune.for_target("tflm"), 0.9)
    plan = make_plan(Model.from_bytes(export_model(model)), TFLM)
    assert sum(isinstance(d, Encode) and d.rule.route is Route.DECODE for d in plan.decisions) == 3
    assert len(selection.pruned) == 3


@pytest.mark.keras
def test_what_a_kernel_cannot_read_is_left_alone_with_the_limit():
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((4096,)),
            layers.Dense(63, name="wide"),
            layers.Dense(16, name="odd"),
            layers.Dense(16, name="fits"),
        ],
        name="m",
    )
    selection = prune.select_variables(model, rules=prune.for_target("litert", quantize="dynamic"))
    assert [chosen.variable.path for chosen in selection.pruned] == ["m/fits/kernel"]
    reasons = {skip.variable: skip.reason for skip in selection.skipped}
    kernel = "(the sparse kernel of litert for FULLY_CONNECTED with INT8 weights and FLOAT32 activations)"
    assert reasons["m/wide/kernel"] == f"has 4,096 columns, more than 4,080 {kernel}"
    assert reasons["m/odd/kernel"] == (
        f"does not fit: its 63 inputs are not a multiple of the 16 of block 1x16 {kernel}"
    )


@pytest.mark.keras
def test_a_later_rule_takes_back_a_custom_layer():
    import keras

    class Mix(keras.layers.Layer):
        def build(self, shape):
            self.mix = self.add_weight(shape=(shape[-1], 8), name="mix")

        def call(self, x):
            return x @ self.mix

    model = keras.Sequential([keras.Input((8,)), Mix(name="mixing"), keras.layers.Dense(4, name="head")], name="m")
    rules = prune.for_target("litert")
    assert [c.variable.name for c in prune.select_variables(model, rules=rules).pruned] == ["kernel"]
    taken_back = prune.Rule(pattern="*/mixing/mix", prune=True, structure=Block((1, 4)))
    selection = prune.select_variables(model, rules=(*rules, taken_back))
    assert [(c.variable.name, c.structure) for c in selection.pruned] == [
        ("mix", Block((1, 4))),
        ("kernel", Block((1, 4))),
    ]
