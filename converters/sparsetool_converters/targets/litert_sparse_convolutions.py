"""When XNNPACK runs the 1x1 convolutions of a network on its sparse kernels, whatever their weights are stored as.

Unlike the native sparse kernels of FULLY_CONNECTED, these are chosen by the delegate for a whole cluster of operators,
and need one DENSIFY in it as a hint, no more. They compute in float32, so weights may also come through DEQUANTIZE.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SparseConvolutions:
    """The gates of XNNPACK's sparse inference, all of which must be open.

    Attributes:
        op: the operator whose weights may be used sparse.
        kernel: height and width of them.
        activation: element type of the operator's activation input.
        kernel_set: the kernel set that has the delegate.
        more_zeros_than: the share of zeros over all such weights that must be exceeded.
        never_with_flag: on x86 processors, the feature with which it never happens.
        cluster: the operators that must stand around them, a clause.
        operator_mark: what the profiler's name of an operator that ran sparse contains.
        source: where that is known from.
    """

    op: str
    kernel: tuple[int, int]
    activation: str
    kernel_set: str
    more_zeros_than: float
    never_with_flag: str
    cluster: str
    operator_mark: str
    source: str


SPARSE_CONVOLUTIONS = SparseConvolutions(
    op="CONV_2D",
    kernel=(1, 1),
    activation="FLOAT32",
    kernel_set="default",
    more_zeros_than=2 / 3,
    never_with_flag="avx",
    cluster=(
        "the cluster begins with a 3x3 convolution of stride 2 on 3 channels, padded by 1 on all four sides, which "
        "neither SAME padding of even sizes nor padding of (0, 1) is"
    ),
    operator_mark="SPMM",
    source=(
        "xnnpack_delegate.cc @ f674577; XNNPACK src/subgraph.c, hardware-config.h @ 75db3c0; executed on x86-64, with "
        "AVX and without, and on ARM64"
    ),
)
