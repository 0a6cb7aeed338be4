"""Which quantization recipes there are, what each does to weights and activations, and which are not offered and why.

Four names are this project's own. The others are those of litert-quantizer, with its meaning; where a recipe of its
takes an algorithm, so does the name here: `dynamic_wi4_afp32+octav`. Nothing here imports the quantizer.
"""

import difflib
from dataclasses import dataclass, replace
from enum import StrEnum

from sparsetool_converters.errors import UsageError
from sparsetool_converters.weights import WeightUse


class Quantization(StrEnum):
    """The recipes with names of this project's own."""

    NONE = "none"
    """Nothing."""
    FLOAT16 = "float16"
    """Weights in float16, computed in float32."""
    DYNAMIC = "dynamic"
    """Weights in int8 per channel, activations quantized on the fly, inputs and outputs float."""
    INT8 = "int8"
    """Weights and activations in int8, ranges from calibration data; inputs and outputs are int8, too."""


@dataclass(frozen=True, kw_only=True)
class QuantizationRecipe:
    """What becomes of float weights and activations.

    Attributes:
        name: what a user calls it, with the algorithm if one was chosen.
        base: the recipe's name in litert-quantizer, or here; without the algorithm.
        weights: how weights are stored.
        activations: how activations are computed.
        weight_bits: bits of the narrowest weight.
        algorithm: how scales are found, by the quantizer's name in lower case; empty for the recipe's own.
        needs_calibration: whether it takes ranges from samples.
        keeps_zeros: whether a zero stays a stored zero.
        refused: why it is not offered; empty if it is.
    """

    name: str
    base: str
    weights: str
    activations: str
    weight_bits: int
    algorithm: str = ""
    needs_calibration: bool = False
    keeps_zeros: bool = True
    refused: str = ""

    def use_by(self, op: str) -> WeightUse | None:
        """How an operator uses its weights afterwards; None where that differs from one weight to the next.

        A recipe that leaves activations in float32 and makes them from integers on the fly has the operator read the
        weights as they are; one that computes in float32 puts a DEQUANTIZE before the operator.
        """
        weight, activation = _TYPES.get(self.weights), _TYPES.get(self.activations)
        if weight is None or activation is None:
            return None
        if self.algorithm == "oscar" and activation != "FLOAT32":
            return None  # activations of some layers become integers on the fly, seen in litert-quantizer 0.11.0
        dequantized = self.activations == "float32" and weight != activation
        return WeightUse(op=op, weight=weight, activation=activation, dequantized=dequantized)


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A way to find scales.

    Attributes:
        name: as litert-quantizer calls it, in lower case.
        what: what it does.
        needs_calibration: whether it looks at activations.
        keeps_zeros: whether a zero stays a stored zero.
        widths: bits of weights that it is offered for.
        refused: why it is not offered; empty if it is.
    """

    name: str
    what: str
    needs_calibration: bool = False
    keeps_zeros: bool = True
    widths: tuple[int, ...] = (2, 4, 8)
    refused: str = ""


_ON_THE_FLY = "float32, quantized on the fly"
# What a recipe says of weights and activations -> their element type as the schema names it.
_TYPES = {
    "unchanged": "FLOAT32",
    "float32": "FLOAT32",
    _ON_THE_FLY: "FLOAT32",
    "float16": "FLOAT16",
    "int16": "INT16",
    "int8": "INT8",
    **{f"int{bits} per channel": f"INT{bits}" for bits in (8, 4, 2)},
}
_ON_ONE_KERNEL_SET = (
    "scales of blocks are only read by XNNPACK; with the reference kernels the model answers something else"
)
_OF_SEVERAL_MODELS = "a set of recipes for the models inside a .litertlm file; a .tflite takes one recipe"


def _of_litert(
    name: str, weights: str, activations: str, bits: int, *, calibrated: bool = False, zeros: bool = True, no: str = ""
) -> QuantizationRecipe:
    return QuantizationRecipe(
        name=str(name),
        base=str(name),
        weights=weights,
        activations=activations,
        weight_bits=bits,
        needs_calibration=calibrated,
        keeps_zeros=zeros,
        refused=no,
    )


# What litert-quantizer 0.11.0 has by name: functions of its recipe.py, files of its recipes/.
# What is refused was run on each kernel set of ai-edge-litert 2.3.0.
RECIPES: tuple[QuantizationRecipe, ...] = (
    _of_litert(Quantization.NONE, "unchanged", "unchanged", 32),
    _of_litert(Quantization.FLOAT16, "float16", "float32", 16),
    _of_litert(Quantization.DYNAMIC, "int8 per channel", _ON_THE_FLY, 8),
    _of_litert(Quantization.INT8, "int8 per channel", "int8", 8, calibrated=True),
    _of_litert("dynamic_wi8_afp32", "int8 per channel", _ON_THE_FLY, 8),
    _of_litert("dynamic_wi8c_afp32", "int8 per channel", _ON_THE_FLY, 8),
    _of_litert("dynamic_legacy_wi8_afp32", "int8 per channel, from 1,024 on", _ON_THE_FLY, 8),
    _of_litert("dynamic_wi4_afp32", "int4 per channel", _ON_THE_FLY, 4),
    _of_litert("dynamic_wi4c_afp32", "int4 per channel", _ON_THE_FLY, 4),
    _of_litert("dynamic_wi2c_afp32", "int2 per channel", _ON_THE_FLY, 2),
    _of_litert("weight_only_wi8_afp32", "int8 per channel", "float32", 8),
    _of_litert("weight_only_wi4_afp32", "int4 per channel", "float32", 4),
    _of_litert("static_wi8_ai8", "int8 per channel", "int8", 8, calibrated=True),
    _of_litert("static_wi8_ai16", "int8 per channel", "int16", 8, calibrated=True),
    _of_litert("default_a8w8", "int8 per channel", "int8", 8, calibrated=True),
    _of_litert("default_a16w8", "int8 per channel", "int16", 8, calibrated=True),
    _of_litert("default_af32w8float", "int8 per channel, asymmetric", "float32", 8, zeros=False),
    _of_litert("default_af32w4float", "int4 per channel, asymmetric", "float32", 4, zeros=False),
    _of_litert("sample_advanced_usage", "int4 and int8 per channel", "int8 and float32", 4, calibrated=True),
    _of_litert("dynamic_wi8c_hr_afp32", "int8 per channel, rotated", _ON_THE_FLY, 8, zeros=False),
    _of_litert("dynamic_wi4c_hr_afp32", "int4 per channel, rotated", _ON_THE_FLY, 4, zeros=False),
    _of_litert("dynamic_wi2c_hr_afp32", "int2 per channel, rotated", _ON_THE_FLY, 2, zeros=False),
    _of_litert("dynamic_wi8_afp32_hadamard", "int8 per channel, rotated", _ON_THE_FLY, 8, zeros=False),
    _of_litert("dynamic_wi4_afp32_hadamard", "int4 per channel, rotated", _ON_THE_FLY, 4, zeros=False),
    *(
        _of_litert(
            f"dynamic_wi{bits}b{size}_afp32",
            f"int{bits} in blocks of {size}",
            _ON_THE_FLY,
            bits,
            no={
                8: "the quantizer has no operator that takes it, and would change nothing",
                4: _ON_ONE_KERNEL_SET,
                2: "XNNPACK cannot load 2-bit weights with scales of blocks",
            }[bits],
        )
        for bits in (8, 4, 2)
        for size in (32, 64)
    ),
    _of_litert("dynamic_wi8_afp32_litertlm", "int8 per channel", _ON_THE_FLY, 8, no=_OF_SEVERAL_MODELS),
    *(
        _of_litert(f"gemma4_mixed48{kind}", "int4 and int8", _ON_THE_FLY, 4, no=_OF_SEVERAL_MODELS)
        for kind in ("", "_hr", "_b32", "_b64")
    ),
)

ALGORITHMS: tuple[Algorithm, ...] = (
    Algorithm(name="min_max_uniform_quant", what="a channel's largest value is its last step; the default"),
    Algorithm(name="octav", what="clips where the expected squared error is least"),
    Algorithm(name="mse", what="clips at a fixed multiple of a channel's root mean square", widths=(4, 8)),
    Algorithm(
        name="oscar",
        what="scales a fully-connected layer's inputs by how active they are, then clips",
        needs_calibration=True,
        widths=(4, 8),  # 2 bits lose so much that a broken model could not be told from it
    ),
    Algorithm(
        name="gptq",
        what="makes up for each rounded weight of a fully-connected layer with those after it",
        needs_calibration=True,
        keeps_zeros=False,
    ),
    Algorithm(name="decomposed_hadamard_rotation", what="rotates a fully-connected layer's inputs", keeps_zeros=False),
    Algorithm(name="dequantized_weight_recovery", what="finds the steps that the weights already stand on"),
    Algorithm(
        name="hadamard_rotation",
        what="as decomposed_hadamard_rotation, by a custom operator",
        keeps_zeros=False,
        refused="the stock runtime answers wrongly with its custom operator, or does not load it",
    ),
    Algorithm(
        name="float_casting", what="stores float16", refused="it knows no integers; float16 is the recipe that uses it"
    ),
)

# What takes an algorithm in litert-quantizer's recipe.py.
TAKES_ALGORITHM = (
    "dynamic_wi8_afp32",
    "dynamic_wi8c_afp32",
    "dynamic_wi4_afp32",
    "dynamic_wi4c_afp32",
    "dynamic_wi2c_afp32",
    "weight_only_wi8_afp32",
    "weight_only_wi4_afp32",
    "static_wi8_ai8",
    "static_wi8_ai16",
)


def recipe_named(name: str) -> QuantizationRecipe:
    """The recipe that a user calls so: a name of `RECIPES`, or one of `TAKES_ALGORITHM`, "+", and an algorithm.

    Raises:
        UsageError: there is none, or it is not offered; the text says why.
    """
    base, plus, algorithm_name = name.partition("+")
    recipe = {r.name: r for r in RECIPES}.get(base)
    if recipe is None:
        raise UsageError(f"no quantization recipe {base!r}{_near(base, [r.name for r in RECIPES if not r.refused])}")
    if plus:
        recipe = _with_algorithm(recipe, algorithm_name)
    if recipe.refused:
        raise UsageError(f"quantization recipe {name}: {recipe.refused}")
    return recipe


def _with_algorithm(recipe: QuantizationRecipe, name: str) -> QuantizationRecipe:
    algorithm = {a.name: a for a in ALGORITHMS}.get(name)
    if algorithm is None:
        raise UsageError(f"no quantization algorithm {name!r}{_near(name, [a.name for a in ALGORITHMS])}")
    refused = recipe.refused or algorithm.refused
    if not refused and recipe.base not in TAKES_ALGORITHM:
        refused = f"takes no algorithm; these do: {', '.join(TAKES_ALGORITHM)}"
    if not refused and recipe.weight_bits not in algorithm.widths:
        refused = f"{name} is not offered for {recipe.weight_bits}-bit weights"
    return replace(
        recipe,
        name=f"{recipe.base}+{name}",
        algorithm=name,
        needs_calibration=recipe.needs_calibration or algorithm.needs_calibration,
        keeps_zeros=recipe.keeps_zeros and algorithm.keeps_zeros,
        refused=refused,
    )


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
