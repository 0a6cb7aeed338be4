"""A model as the text of a C or C++ array, and of the header that declares it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sparsetool_converters.errors import UsageError

BYTES_A_LINE = 16
SPELLED = np.array([f"0x{value:02x}," for value in range(256)], "S5").view(np.uint8).reshape(256, 5)

# Of C23 and C++23 together, so that a name serves both.
KEYWORDS = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t "
    "class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue "
    "decltype default delete do double dynamic_cast else enum explicit export extern false float for friend "
    "goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private "
    "protected public register reinterpret_cast requires restrict return short signed sizeof static "
    "static_assert static_cast struct switch template this thread_local throw true try typedef typeid "
    "typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq"
)


class Language(StrEnum):
    """What an array is written in."""

    C = "c"
    """C99 and later, and C++ too."""
    CPP = "cpp"
    """C++11 and later."""


class Contents(StrEnum):
    """What the bytes of an array are."""

    TFLITE = "tflite"
    """What the runtime maps."""
    TFLZ = "tflz"
    """A container to unpack first."""


@dataclass(frozen=True, kw_only=True)
class ArraySource:
    """An array to compile.

    Attributes:
        name: the array; its size is `name_size`, the SHA-256 of its bytes, itself an array of 32, `name_sha256`.
        language: what it is written in.
        contents: what its bytes are.
        data: its bytes.
    """

    name: str
    language: Language
    contents: Contents
    data: bytes

    @property
    def sha256(self) -> str:
        """Of the bytes, as hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    def header(self) -> bytes:
        """Text of the header that a program includes."""
        frame = _C_HEADER if self.language is Language.C else _CPP_HEADER
        told = {"name": self.name, "size": len(self.data), "contents": self.contents, "sha256": self.sha256}
        return frame.format_map(told).encode()

    def source(self, header_name: str) -> bytes:
        """Text of the file to compile, which includes the header by this name.

        The text takes five bytes for each byte of the model, and making it a few times that.
        """
        aligned = "SPARSETOOL_ALIGNED_16" if self.language is Language.C else "alignas(16)"
        digest = hashlib.sha256(self.data).digest()
        return b"".join(
            (
                f'#include "{header_name}"\n\n'.encode(),
                f"{aligned} const unsigned char {self.name}[{len(self.data)}] = {{\n".encode(),
                spelled(self.data),
                f"}};\n\nconst unsigned char {self.name}_sha256[32] = {{\n".encode(),
                spelled(digest),
                b"};\n",
            )
        )


def check_name(name: str) -> None:
    """Raise UsageError if an array cannot be named so in C and in C++."""
    problem = ""
    if not (name.isascii() and name.isidentifier()):
        problem = "takes letters, digits and underscores, and begins with no digit"
    elif name in KEYWORDS.split():
        problem = "is no keyword of C or C++"
    elif name.startswith("_") or "__" in name:
        problem = "neither begins with an underscore nor holds two in a row, which C and C++ reserve"
    if problem:
        raise UsageError(f"{name!r} cannot name an array: a name {problem}; give another with --name")


def spelled(data: bytes) -> bytes:
    """The bytes as lines of an initializer.

    For example `b"TFL3"` is `"  0x54,0x46,0x4c,0x33,\\n"`.
    """
    values = np.frombuffer(data, np.uint8)
    whole, rest = np.split(values, [len(values) // BYTES_A_LINE * BYTES_A_LINE])
    lines = np.empty((len(whole) // BYTES_A_LINE, 2 + 5 * BYTES_A_LINE + 1), np.uint8)  # (lines, characters)
    lines[:, :2], lines[:, -1] = ord(" "), ord("\n")
    lines[:, 2:-1] = SPELLED[whole].reshape(len(lines), 5 * BYTES_A_LINE)
    last = b"  " + SPELLED[rest].tobytes() + b"\n" if len(rest) else b""
    return lines.tobytes() + last


_HEAD = """\
/* Written by sparsetool embed: a .{contents} file, byte for byte.
   size:    {size} bytes
   SHA-256: {sha256} */
#ifndef SPARSETOOL_{name}_H
#define SPARSETOOL_{name}_H

"""

# Where both a declaration and the definition of an object say how it is aligned, they must say the same (C11 6.7.5,
# C++11 dcl.align).
_C_HEADER = (
    _HEAD
    + """\
#include <stddef.h>

#ifndef SPARSETOOL_ALIGNED_16
#if defined(__cplusplus) && __cplusplus >= 201103L
#define SPARSETOOL_ALIGNED_16 alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SPARSETOOL_ALIGNED_16 _Alignas(16)
#elif defined(__GNUC__)
#define SPARSETOOL_ALIGNED_16 __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define SPARSETOOL_ALIGNED_16 __declspec(align(16))
#else
#error "define SPARSETOOL_ALIGNED_16 as what this compiler aligns a variable to 16 bytes with"
#endif
#endif

#ifdef __cplusplus
extern "C" {{
#endif

SPARSETOOL_ALIGNED_16 extern const unsigned char {name}[{size}];
static const size_t {name}_size = {size};
extern const unsigned char {name}_sha256[32];

#ifdef __cplusplus
}}
#endif

#endif
"""
)

_CPP_HEADER = (
    _HEAD
    + """\
#include <cstddef>

alignas(16) extern const unsigned char {name}[{size}];
constexpr std::size_t {name}_size = {size};
extern const unsigned char {name}_sha256[32];

#endif
"""
)
