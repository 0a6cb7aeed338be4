"""Time of the C decoder against zstd's own on a frame at level 19, turn by turn, checksums on for both.

Needs cmake, a C compiler and libzstd with its header; the decoder is built as its CMake package builds it.
"""

import subprocess
from pathlib import Path

from figures import Figure
from wire_models import wire_models

from sparsetool_converters.codec import compress, pack

DECODER = Path(__file__).parents[2] / "converters" / "sparsetool_converters" / "codec" / "c"
MODELS = ("float32", "int8", "blocks", "int8_blocks")  # of 3 MB and more
ROUNDS = 101
PROJECT = """\
cmake_minimum_required(VERSION 3.18)
project(wire_c_speed LANGUAGES C)
set(CMAKE_BUILD_TYPE Release)
add_subdirectory({decoder} tflz)
add_executable(wire_c_speed {source})
target_link_libraries(wire_c_speed PRIVATE tflz::tflz)
"""


def measure(folder: Path) -> list[Figure]:
    program = _built(folder)
    models = vars(wire_models(folder))
    figures = []
    for name in MODELS:
        container, frame = folder / f"{name}.tflz", folder / f"{name}.zst"
        container.write_bytes(pack(models[name]))
        frame.write_bytes(compress(models[name]))
        command = [str(program), str(container), str(frame), str(ROUNDS)]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        ratio = float(finished.stdout.split()[0])
        figures.append(Figure(name=f"{name}: unpack in C, time over zstd -19", value=ratio, unit="x", limit=1))
    return figures


def _built(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir()
    source = Path(__file__).with_suffix(".c")
    (project / "CMakeLists.txt").write_text(PROJECT.format(decoder=DECODER, source=source))
    for arguments in (("-S", project, "-B", project / "build"), ("--build", project / "build")):
        subprocess.run(["cmake", *map(str, arguments)], stdout=subprocess.DEVNULL, check=True)
    return project / "build" / "wire_c_speed"
