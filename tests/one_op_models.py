"""Models of one operator with a constant weight, as the cases of the targets' tables have them."""

from sparsetool_converters.targets.cases.operators import WEIGHT_SHAPES, one_op, weight_for

__all__ = ["WEIGHT_SHAPES", "one_op", "weight_for"]
