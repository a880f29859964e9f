# A sanitized library needs a sanitized consumer, so there the test is left out.
if(NOT ASKOS_SANITIZE)
  add_test(NAME package_consumer
    COMMAND "${CMAKE_COMMAND}" "-DBUILD=${PROJECT_BINARY_DIR}" "-DWORK=${PROJECT_BINARY_DIR}/package"
            "-DEXPECT=${PROJECT_SOURCE_DIR}/examples/hello/expected.txt"
            "-DLAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}"
            -P "${CMAKE_CURRENT_SOURCE_DIR}/package/consume.cmake")
  set_tests_properties(package_consumer PROPERTIES LABELS package TIMEOUT 120)
endif()
