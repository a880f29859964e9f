# Installs askos to a folder of its own, starts its programs there, builds the project beside this
# file against it, and runs that: it must print what EXPECT holds.
#
# cmake -D BUILD=<askos's build> -D WORK=<scratch> -D EXPECT=<file> [-D LAUNCHER=<ccache>] -P consume.cmake
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${WORK}")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed (${result}): ${ARGV}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -G Ninja -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build"
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
file(READ "${EXPECT}" expected)
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "expected:\n${expected}\nfound:\n${output}")
endif()
foreach(command IN ITEMS run verify train)  # one of each program
  if(NOT command STREQUAL train OR EXISTS "${WORK}/prefix/bin/askos-model")
    run("${WORK}/prefix/bin/askos" ${command} --help)
  endif()
endforeach()
file(REMOVE_RECURSE "${WORK}")
