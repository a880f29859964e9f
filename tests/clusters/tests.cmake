# Runs of many processes on what clusters have, set up by the test itself: slow, and skipped where the
# tools are missing (scripts/bootstrap --clusters) or the user is not root.
if(ASKOS_WITH_MPI AND ASKOS_WITH_TORCH)
  foreach(test IN ITEMS three_hosts slurm ecflow)
    add_test(NAME Clusters.${test}
      COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/clusters/${test}.sh"
              $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples/storm")
    set_tests_properties(Clusters.${test} PROPERTIES
      LABELS "apps;slow" TIMEOUT 600 SKIP_RETURN_CODE 77 RUN_SERIAL ON)
  endforeach()
endif()
