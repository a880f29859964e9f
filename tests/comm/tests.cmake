askos_add_test(comm/partition_test LIBRARIES askos::comm)
askos_add_test(comm/mesh_test LIBRARIES askos::comm)
askos_add_test(comm/local_conformance_test LIBRARIES askos::comm)
askos_add_test(comm/rendezvous_test LIBRARIES askos::comm)
askos_add_test(comm/peer_watch_test LIBRARIES askos::comm)
askos_add_test(comm/coordinator_test LIBRARIES askos::comm)
askos_add_test(comm/ordered_conformance_test LIBRARIES askos::comm)
askos_add_test(comm/half_test LIBRARIES askos::comm)
askos_add_test(comm/slot_pool_test LIBRARIES askos::comm askos::telemetry)
askos_add_test(comm/local_communicator_test LIBRARIES askos::comm askos::telemetry)

if(ASKOS_WITH_MPI)
  # These run under mpirun as a whole: one process is one rank of all their tests.
  add_executable(comm_mpi_conformance_test comm/mpi_conformance_test.cpp)
  target_include_directories(comm_mpi_conformance_test PRIVATE
    ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/comm/src)
  target_link_libraries(comm_mpi_conformance_test PRIVATE
    askos::options askos::processes GTest::gmock GTest::gtest_main)
  add_test(NAME MpiConformance.FourProcesses
    COMMAND "${ASKOS_MPIRUN}" ${ASKOS_MPIRUN_OPTIONS} -n 4 $<TARGET_FILE:comm_mpi_conformance_test>
            --gtest_brief=1)
  set_tests_properties(MpiConformance.FourProcesses PROPERTIES
    LABELS "comm;multirank" TIMEOUT 120 PROCESSORS 2 ENVIRONMENT "${ASKOS_MPI_ENVIRONMENT}"
    ENVIRONMENT_MODIFICATION "${ASKOS_MPI_SANITIZERS}")
else()
  add_test(NAME MpiConformance.FourProcesses COMMAND "${CMAKE_COMMAND}" -E echo
    "skipped: built without MPI (ASKOS_WITH_MPI=OFF)")
  set_tests_properties(MpiConformance.FourProcesses PROPERTIES
    LABELS "comm;multirank" SKIP_REGULAR_EXPRESSION "skipped:")
endif()
