"""Which layouts there are, and which are refused."""

from collections.abc import Callable

import pytest

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr

DENSE, CSR = DimensionFormat.DENSE, DimensionFormat.SPARSE_CSR


def test_csr_compresses_the_last_dimension_only() -> None:
    assert csr(4) == BlockFormat(traversal_order=(0, 1, 2, 3), formats=(DENSE, DENSE, DENSE, CSR))


def test_one_by_sixteen_is_the_layout_that_the_runtime_multiplies_with() -> None:
    assert block_csr((1, 16)) == BlockFormat(
        traversal_order=(0, 1, 2), formats=(DENSE, CSR, DENSE), block_map=(1,), block_shape=(16,)
    )


def test_block_on_both_sides_cuts_outputs_and_last_inputs() -> None:
    assert block_csr((2, 4), rank=4) == BlockFormat(
        traversal_order=(0, 1, 2, 3, 4, 5),
        formats=(DENSE, DENSE, DENSE, CSR, DENSE, DENSE),
        block_map=(0, 3),
        block_shape=(2, 4),
    )


def test_level_sizes_follow_the_traversal() -> None:
    layout = BlockFormat(
        traversal_order=(1, 0, 3, 2), formats=(CSR, CSR, DENSE, DENSE), block_map=(0, 1), block_shape=(2, 4)
    )
    assert layout.expanded_shape((6, 20)) == (3, 5, 2, 4)
    assert layout.level_sizes((6, 20)) == (5, 3, 4, 2)


@pytest.mark.parametrize("layout", [csr(1), csr(4), block_csr((1, 16)), block_csr((4, 1)), block_csr((2, 4), rank=4)])
def test_layout_comes_back_from_the_fields_of_the_schema(layout: BlockFormat) -> None:
    shape = (16,) * layout.rank
    assert layout == BlockFormat.from_levels(
        traversal_order=layout.traversal_order,
        formats=[int(level) for level in layout.formats],
        dense_sizes=layout.level_sizes(shape),
        block_map=layout.block_map,
    )


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: BlockFormat(traversal_order=(), formats=()), "at least one dimension"),
        (
            lambda: BlockFormat(traversal_order=(0, 0), formats=(DENSE, CSR)),
            r"permutation of 0\.\.1 .*\(0, 0\)",
        ),
        (
            lambda: BlockFormat(
                traversal_order=(0, 2, 1), formats=(DENSE, DENSE, CSR), block_map=(1,), block_shape=(4,)
            ),
            r"permutation of 0\.\.1 followed .*\(0, 2, 1\)",
        ),
        (lambda: BlockFormat(traversal_order=(0, 1), formats=(CSR,)), "2 levels needs one format, not 1"),
        (
            lambda: BlockFormat(
                traversal_order=(0, 1, 2), formats=(DENSE, CSR, DENSE), block_map=(2,), block_shape=(4,)
            ),
            r"ascending dimensions under 2, not \(2,\)",
        ),
        (
            lambda: BlockFormat(
                traversal_order=(0, 1, 2, 3),
                formats=(CSR, CSR, DENSE, DENSE),
                block_map=(1, 1),
                block_shape=(2, 2),
            ),
            r"ascending dimensions under 2, not \(1, 1\)",
        ),
        (lambda: block_csr((1, 0)), r"length of 1 or more, not \(0,\)"),
        (
            lambda: BlockFormat(
                traversal_order=(0, 1, 2), formats=(DENSE, DENSE, CSR), block_map=(1,), block_shape=(4,)
            ),
            "inside a block must be DENSE",
        ),
        (
            lambda: BlockFormat(
                traversal_order=(0, 1, 2, 4, 5, 3),
                formats=(DENSE, DENSE, CSR, DENSE, DENSE, DENSE),
                block_map=(0, 1, 2),
                block_shape=(2, 2, 2),
            ),
            "change places in pairs",
        ),
        (lambda: csr(0), "need rank 2 or more, not 0"),
        (lambda: block_csr((4, 1), rank=1), "need rank 2 or more, not 1"),
        (lambda: csr(2).level_sizes((4,)), r"rank 2, not for shape \(4,\)"),
        (lambda: csr(2).level_sizes((4, 0)), "without elements"),
        (lambda: csr(2).level_sizes((2**16, 2**16)), "4,294,967,296 elements are more than"),
        (lambda: block_csr((1, 16)).level_sizes((4, 63)), "63 elements of dimension 1 are not .* 16"),
        (
            lambda: BlockFormat.from_levels(traversal_order=(0, 1), formats=(0, 2), dense_sizes=(4, 4)),
            r"0 \(DENSE\) or 1 \(SPARSE_CSR\), not \(0, 2\)",
        ),
        (
            lambda: BlockFormat.from_levels(traversal_order=(0, 1), formats=(0, 1), dense_sizes=(4,)),
            "2 levels need as many",
        ),
        (
            lambda: BlockFormat.from_levels(
                traversal_order=(0, 1, 7), formats=(0, 1, 0), dense_sizes=(4, 0, 4), block_map=(1,)
            ),
            "permutation",
        ),
    ],
)
def test_layout_that_the_runtime_would_misread_is_refused(make: Callable[[], object], rule: str) -> None:
    with pytest.raises(EncodingError, match=rule):
        make()
