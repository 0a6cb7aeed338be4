"""The schema's element types and what one element is in numpy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model.packed_elements import Packing


@dataclass(frozen=True)
class ElementType:
    """Name as in the schema; `dtype` is None where elements are not whole bytes or have no fixed size.

    bfloat16 and the float8 types have no dtype in numpy: they are held as their bits, in unsigned integers.
    `packing` tells how elements under a byte are stored.
    """

    name: str
    dtype: np.dtype[Any] | None
    packing: Packing | None = None


_DTYPES: dict[str, str] = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "FLOAT64": "<f8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "BOOL": "?",
    "COMPLEX64": "<c8",
    "COMPLEX128": "<c16",
    "BFLOAT16": "<u2",
    "FLOAT8_E4M3FN": "u1",
    "FLOAT8_E5M2": "u1",
}

_PACKINGS: dict[str, Packing] = {
    "INT4": Packing(bits=4, signed=True),
    "UINT4": Packing(bits=4, signed=False),
    "INT2": Packing(bits=2, signed=True),
}

_TYPES: dict[int, ElementType] = {
    value: ElementType(name, np.dtype(_DTYPES[name]) if name in _DTYPES else None, _PACKINGS.get(name))
    for name, value in vars(schema.TensorType).items()
    if not name.startswith("_")
}


def element_type(value: int) -> ElementType:
    """The element type for a value of `TensorType`; unknown values are named by their number."""
    return _TYPES.get(value, ElementType(f"TYPE_{value}", None))
