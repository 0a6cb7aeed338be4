# The function sparsetool_add_model; sparsetool-config.cmake says how it is called.

function(sparsetool_add_model target)
  set(values MODEL OUTPUT LANGUAGE NAME QUANTIZE CALIBRATION SAMPLES TARGET RECIPE BUDGET BASELINE MAX_REGRESSION
             CACHE_DIR)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "${values}" "DEPENDS;OPTIONS")
  set(given "${ARGN}")
  _sparsetool_check_arguments()

  # Paths: relative ones are as CMake's own commands take them.
  foreach(key MODEL CALIBRATION SAMPLES RECIPE BASELINE CACHE_DIR)
    if(DEFINED arg_${key} AND NOT arg_${key} MATCHES "^\\$<")
      cmake_path(ABSOLUTE_PATH arg_${key} BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
    endif()
  endforeach()
  if(NOT DEFINED arg_OUTPUT)
    set(arg_OUTPUT "${target}.tflite")
  endif()
  cmake_path(ABSOLUTE_PATH arg_OUTPUT BASE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}" NORMALIZE OUTPUT_VARIABLE output)
  cmake_path(GET output PARENT_PATH folder)
  file(MAKE_DIRECTORY "${folder}")

  set(options --force --depfile "${output}.d")
  foreach(key QUANTIZE CALIBRATION SAMPLES TARGET RECIPE BUDGET BASELINE MAX_REGRESSION CACHE_DIR)
    if(DEFINED arg_${key})
      string(TOLOWER "--${key}" option)
      string(REPLACE "_" "-" option "${option}")
      list(APPEND options "${option}" "${arg_${key}}")
    endif()
  endforeach()
  # The depfile tells what else was read; these are named so that they are made first where something makes them.
  set(depends "${arg_MODEL}" ${arg_RECIPE} ${arg_BASELINE} ${arg_DEPENDS})
  foreach(samples ${arg_CALIBRATION} ${arg_SAMPLES})
    string(REGEX REPLACE "(\\.py):[^:]*$" "\\1" samples "${samples}") # file.py:function
    list(APPEND depends "${samples}")
  endforeach()

  _sparsetool_touch(touch "${output}")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${SPARSETOOL_EXECUTABLE}" compress "${arg_MODEL}" -o "${output}" ${options} ${arg_OPTIONS}
    ${touch}
    DEPENDS ${depends}
    DEPFILE "${output}.d"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Compressing the model of ${target}"
    VERBATIM)

  if(DEFINED arg_LANGUAGE)
    _sparsetool_add_array()
  else()
    add_custom_target("${target}" ALL DEPENDS "${output}")
  endif()
  set_target_properties("${target}" PROPERTIES SPARSETOOL_FILE "${output}")
endfunction()

# FATAL_ERROR for a call that cannot be meant so.
macro(_sparsetool_check_arguments)
  set(where "sparsetool_add_model(${target})")
  if(NOT SPARSETOOL_EXECUTABLE)
    message(FATAL_ERROR "${where}: call find_package(sparsetool) in this folder's CMakeLists.txt or above it")
  endif()
  if(DEFINED arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${where}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  foreach(key IN LISTS values)
    # an empty variable in the place of a value must not take a budget away in silence
    if(key IN_LIST given AND "${arg_${key}}" STREQUAL "")
      message(FATAL_ERROR "${where}: ${key} has no value")
    endif()
  endforeach()
  if(NOT DEFINED arg_MODEL)
    message(FATAL_ERROR "${where}: MODEL is missing")
  endif()
  if(DEFINED arg_NAME AND NOT DEFINED arg_LANGUAGE)
    message(FATAL_ERROR "${where}: NAME is that of an array, which there is with LANGUAGE C or CXX only")
  endif()
  if(DEFINED arg_LANGUAGE)
    if(NOT arg_LANGUAGE MATCHES "^(C|CXX)$")
      message(FATAL_ERROR "${where}: LANGUAGE is C or CXX, not ${arg_LANGUAGE}")
    endif()
    get_property(enabled GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT arg_LANGUAGE IN_LIST enabled)
      message(FATAL_ERROR "${where}: the project does not use ${arg_LANGUAGE}; name it in project(... LANGUAGES ...)")
    endif()
  endif()
endmacro()

# Sets a variable to a command that makes outputs new, where that is needed. Ninja asks after each command which outputs
# have changed, and goes no further where none has. Make does not: an output that is left as it is stays older than an
# input with a new date and the same content, and the command would run in every build.
function(_sparsetool_touch variable)
  if(CMAKE_GENERATOR MATCHES "Makefiles")
    set(${variable} COMMAND "${CMAKE_COMMAND}" -E touch ${ARGN} PARENT_SCOPE)
  else()
    set(${variable} "" PARENT_SCOPE)
  endif()
endfunction()

# The library of an array; uses the variables of the function above.
macro(_sparsetool_add_array)
  if(NOT DEFINED arg_NAME)
    set(arg_NAME "g_${target}_model_data")
  endif()
  if(NOT arg_NAME MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "${where}: ${arg_NAME} cannot name an array; give another with NAME")
  endif()
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}_model_data") # of its own, since it is searched for headers
  file(MAKE_DIRECTORY "${folder}")
  set(array "${folder}/${target}_model_data")
  if(arg_LANGUAGE STREQUAL "C")
    set(array_source "${array}.c")
  else()
    set(array_source "${array}.cc")
  endif()
  _sparsetool_touch(touch "${array_source}" "${array}.h")
  add_custom_command(
    OUTPUT "${array_source}" "${array}.h"
    COMMAND "${SPARSETOOL_EXECUTABLE}" embed "${output}" -o "${array_source}" --name "${arg_NAME}" --force --depfile
            "${array_source}.d"
    ${touch}
    DEPENDS "${output}"
    DEPFILE "${array_source}.d"
    COMMENT "Embedding the model of ${target}"
    VERBATIM)
  add_library("${target}" STATIC "${array_source}" "${array}.h")
  target_include_directories("${target}" PUBLIC "${folder}")
  if(arg_LANGUAGE STREQUAL "CXX")
    target_compile_features("${target}" PUBLIC cxx_std_11)
  endif()
endmacro()
