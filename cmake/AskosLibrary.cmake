# Warnings and language level that every askos target shares.
add_library(askos_options INTERFACE)
add_library(askos::options ALIAS askos_options)
target_compile_features(askos_options INTERFACE cxx_std_20)
target_compile_options(askos_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow>)

# askos_add_library(<name> SOURCES <file>... [DEPENDS <target>...] [PRIVATE_DEPENDS <target>...])
#
# Defines askos_<name> (alias askos::<name>) with its public headers taken from
# include/askos/<name>/, and records it for installation.
function(askos_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS")
  set(target askos_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(askos::${name} ALIAS ${target})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS include/askos/${name}/*.hpp)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${headers})
  target_include_directories(${target} PRIVATE src)
  target_link_libraries(${target} PUBLIC ${arg_DEPENDS}
                        PRIVATE $<BUILD_INTERFACE:askos::options> ${arg_PRIVATE_DEPENDS})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  install(TARGETS ${target} EXPORT askosTargets FILE_SET HEADERS)
endfunction()

# askos_add_test(<library>/<name>_test [LABELS <label>...] [PCH_FROM <target>] LIBRARIES <target>...)
#
# Builds tests/<library>/<name>_test.cpp, which may include <library>/src, and gives each of its
# tests the library's name as a label. PCH_FROM reuses a library's precompiled header.
function(askos_add_test path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH_FROM;TIMEOUT" "LABELS;LIBRARIES")
  string(REPLACE "/" "_" target ${path})
  cmake_path(GET path PARENT_PATH library)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${target} ${path}.cpp)
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/${library}/src)
  target_link_libraries(${target} PRIVATE askos::options ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  if(arg_PCH_FROM)
    target_precompile_headers(${target} REUSE_FROM ${arg_PCH_FROM})
    target_compile_options(${target} PRIVATE -fPIC)  # as the header was made: a program is -fPIE
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests would take a list of labels apart, so they are set when ctest has the tests.
  set(labels "${CMAKE_CURRENT_BINARY_DIR}/${target}_labels.cmake")
  file(WRITE "${labels}" "foreach(test IN LISTS ${target}_TESTS)
  set_tests_properties(\"\${test}\" PROPERTIES LABELS \"${library};${arg_LABELS}\")
endforeach()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels}")
endfunction()

# askos_add_bench(<library>/<what>_bench LIBRARIES <target>...): a program of its own, not a test.
function(askos_add_bench path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH_FROM" "LIBRARIES")
  cmake_path(GET path FILENAME target)
  add_executable(${target} ${path}.cpp)
  cmake_path(GET path PARENT_PATH library)
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/bench ${PROJECT_SOURCE_DIR}/${library}/src)
  target_link_libraries(${target} PRIVATE askos::options ${arg_LIBRARIES})
  if(arg_PCH_FROM)
    target_precompile_headers(${target} REUSE_FROM ${arg_PCH_FROM})
    target_compile_options(${target} PRIVATE -fPIC)  # as the header was made: a program is -fPIE
  endif()
endfunction()
