askos_add_test(comm/agreement_test LIBRARIES askos::comm)
askos_add_test(comm/partition_test LIBRARIES askos::comm)
askos_add_test(comm/mesh_test LIBRARIES askos::comm)
askos_add_test(comm/local_conformance_test LIBRARIES askos::comm)
askos_add_test(comm/recorded_calls_test LIBRARIES askos::comm askos::telemetry)
askos_add_test(comm/rendezvous_test LIBRARIES askos::comm)
askos_add_test(comm/peer_watch_test LIBRARIES askos::comm)
askos_add_test(comm/coordinator_test LIBRARIES askos::comm)
askos_add_test(comm/ordered_conformance_test LIBRARIES askos::comm)
askos_add_test(comm/half_test LIBRARIES askos::comm)
askos_add_test(comm/slot_pool_test LIBRARIES askos::comm askos::telemetry)
askos_add_test(comm/local_communicator_test LIBRARIES askos::comm askos::telemetry)
askos_add_test(comm/traced_call_test LIBRARIES askos::comm askos::telemetry)

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

# Each starts its ranks itself, as processes that share the GPUs there are.
foreach(case IN ITEMS "Conformance.TwoRanks|nccl_conformance_test|2" "Conformance.FourRanks|nccl_conformance_test|4"
                      "LostRank.TwoRanks|nccl_lost_rank_test|2" "LostRank.FourRanks|nccl_lost_rank_test|4")
  string(REPLACE "|" ";" case "${case}")
  list(GET case 0 name)
  list(GET case 1 program)
  list(GET case 2 num_ranks)
  if(NOT ASKOS_WITH_CUDA)
    add_test(NAME Nccl${name} COMMAND "${CMAKE_COMMAND}" -E echo
      "skipped: built without CUDA (ASKOS_WITH_CUDA=OFF)")
    set_tests_properties(Nccl${name} PROPERTIES LABELS "comm;multirank;gpu" SKIP_REGULAR_EXPRESSION "skipped:")
    continue()
  endif()
  if(NOT TARGET comm_${program})
    add_executable(comm_${program} comm/${program}.cpp)
    target_include_directories(comm_${program} PRIVATE
      ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/comm/src)
    target_link_libraries(comm_${program} PRIVATE
      askos::options askos::device_ranks askos::nccl GTest::gmock GTest::gtest)
  endif()
  add_test(NAME Nccl${name} COMMAND comm_${program} --ranks=${num_ranks})
  set_tests_properties(Nccl${name} PROPERTIES LABELS "comm;multirank;gpu" TIMEOUT 600
    SKIP_RETURN_CODE 77)
endforeach()
