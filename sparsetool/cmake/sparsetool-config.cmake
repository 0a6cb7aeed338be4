# sparsetool in a CMake build: models that are compressed, gated and, for firmware, compiled in as an array.
#
#     cmake -S . -B build "-Dsparsetool_DIR=$(sparsetool cmake-dir)"
#
#     find_package(sparsetool CONFIG REQUIRED)
#     sparsetool_add_model(keywords MODEL keywords.tflite BUDGET disk=40KB LANGUAGE C)
#     target_link_libraries(firmware PRIVATE keywords)
#
# and in the program
#
#     #include "keywords_model_data.h"   // g_keywords_model_data, ..._size, ..._sha256
#
# find_package sets SPARSETOOL_EXECUTABLE to the command of the same Python environment, or else to the one on the PATH.
# Set it before to use another.
#
# sparsetool_add_model(<target> MODEL <file>
#     [OUTPUT <file>]            .tflite, .tflz or .tflite.zst; default: <target>.tflite in CMAKE_CURRENT_BINARY_DIR
#     [LANGUAGE C|CXX]           make a static library of an array with the output's bytes
#     [NAME <array>]             name of that array; default: g_<target>_model_data
#     [QUANTIZE <name>] [CALIBRATION <samples>] [SAMPLES <samples>] [TARGET <name>] [RECIPE <file>]
#     [BUDGET <sizes>] [BASELINE <file>] [MAX_REGRESSION <share>] [CACHE_DIR <folder>]
#                                as the options of sparsetool compress that are called so
#     [OPTIONS <option>...]      more options for sparsetool compress
#     [DEPENDS <dependency>...]  targets and files to bring up to date before, as the target that makes MODEL
# )
#
# The output is made anew when a file that it was made of has changed, or sparsetool itself; a budget that is exceeded,
# or a result that cannot be verified, fails the build and leaves the output as it was. Relative paths are seen from
# CMAKE_CURRENT_SOURCE_DIR, but OUTPUT from CMAKE_CURRENT_BINARY_DIR; MODEL may be a generator expression.
#
# Without LANGUAGE <target> is a custom target, part of ALL. With LANGUAGE it is a library to link with, which brings
# the header <target>_model_data.h: C is for C99 and later and for C++, CXX for C++11 and later. Either has the property
# SPARSETOOL_FILE, the output's path, as in $<TARGET_PROPERTY:<target>,SPARSETOOL_FILE>.

if(CMAKE_VERSION VERSION_LESS 3.20)
  set(sparsetool_FOUND FALSE)
  set(sparsetool_NOT_FOUND_MESSAGE "sparsetool needs CMake 3.20 or later; this is ${CMAKE_VERSION}")
  return()
endif()
cmake_policy(VERSION 3.20)

if(SPARSETOOL_EXECUTABLE)
  if(NOT IS_ABSOLUTE "${SPARSETOOL_EXECUTABLE}" OR NOT EXISTS "${SPARSETOOL_EXECUTABLE}")
    set(sparsetool_FOUND FALSE)
    set(sparsetool_NOT_FOUND_MESSAGE
        "SPARSETOOL_EXECUTABLE is \"${SPARSETOOL_EXECUTABLE}\", which is not the absolute path of a file")
    return()
  endif()
else()
  # Seen from <environment>/lib/pythonX.Y/site-packages/sparsetool/cmake: the environment's commands; those of an
  # environment on Windows, and of a user's own packages there; those of pip install --target; and, where the package
  # is used out of its repository, those of the environment that make sets up in it.
  set(SPARSETOOL_HINTS ../../../../../bin ../../../../Scripts ../../../Scripts ../../bin ../../.venv/bin)
  list(TRANSFORM SPARSETOOL_HINTS PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
  # It runs here, whatever is built for: no path leads into the target's root. Nor is the result kept, since another
  # sparsetool_DIR means another command.
  find_program(SPARSETOOL_FOUND_COMMAND sparsetool PATHS ${SPARSETOOL_HINTS} NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  find_program(SPARSETOOL_FOUND_COMMAND sparsetool NO_CMAKE_FIND_ROOT_PATH)
  set(SPARSETOOL_EXECUTABLE "${SPARSETOOL_FOUND_COMMAND}")
  unset(SPARSETOOL_FOUND_COMMAND CACHE)
  unset(SPARSETOOL_HINTS)
  if(NOT SPARSETOOL_EXECUTABLE)
    set(sparsetool_FOUND FALSE)
    string(CONCAT sparsetool_NOT_FOUND_MESSAGE
                  "there is no command sparsetool, neither in the environment of ${CMAKE_CURRENT_LIST_DIR} nor on the "
                  "PATH; name it with -DSPARSETOOL_EXECUTABLE=<absolute path>")
    return()
  endif()
endif()

include("${CMAKE_CURRENT_LIST_DIR}/sparsetool-add-model.cmake")
