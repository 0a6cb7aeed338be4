"""What the lint finds wrong is neither run nor written."""

import pytest
from one_op_models import one_op, weight_for

from sparsetool.pipeline.gate import check_lint
from sparsetool_converters.errors import TargetError
from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets import LITERT, PORTABLE
from sparsetool_converters.targets.cases.storing import stored_sparse

FC = "FULLY_CONNECTED"
DENSE = one_op(FC, weight_for(FC, "int8", block=16), asymmetric=False)


def test_model_without_errors_passes():
    check_lint(DENSE, LITERT, name="small")
    check_lint(DENSE, PORTABLE, name="small")
    check_lint(stored_sparse(DENSE, block_csr((1, 16)), densify=False, version=8), LITERT, name="small")  # a warning


def test_first_error_is_named_and_the_others_counted():
    with pytest.raises(TargetError, match="target litert: small: weight in FULLY_CONNECTED") as caught:
        check_lint(stored_sparse(DENSE, block_csr((1, 4)), densify=False), LITERT, name="small")
    assert str(caught.value).endswith("; and 1 more")
    assert caught.value.exit_code == 6


def test_sparse_model_is_not_portable():
    with pytest.raises(TargetError, match="target portable: small: weight"):
        check_lint(stored_sparse(DENSE, csr(2), densify=True, version=8), PORTABLE, name="small")
