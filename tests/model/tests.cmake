foreach(test IN ITEMS attention ensemble_training features graph loss memory_plan migration mixed_precision parity
        preprocessing reference_cases scalers sharding training)
  askos_add_test(model/${test}_test PCH_FROM askos_model
    LIBRARIES askos_parity)
  target_compile_definitions(model_${test}_test PRIVATE
    ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
endforeach()

askos_add_test(model/operator_tracing_test PCH_FROM askos_model
  LIBRARIES askos::model askos::telemetry)

askos_add_test(model/layouts_test PCH_FROM askos_model LABELS slow TIMEOUT 1200
  LIBRARIES askos_parity)
target_compile_definitions(model_layouts_test PRIVATE
  ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")

# The loops for lesser processors; a processor that lacks one of them skips it.
foreach(level IN ITEMS portable avx2)
  add_test(NAME Attention.With_${level}_vectors COMMAND model_attention_test)
  set_tests_properties(Attention.With_${level}_vectors PROPERTIES LABELS model TIMEOUT 120
    ENVIRONMENT ASKOS_VECTORS=${level} SKIP_REGULAR_EXPRESSION "no such vector instructions")
endforeach()

if(ASKOS_WITH_CUDA)
  askos_add_test(model/cuda_attention_test LABELS gpu LIBRARIES askos::cuda_attention)
  target_sources(model_cuda_attention_test PRIVATE model/cuda_attention_problem.cpp)
  askos_add_test(model/device_layers_test PCH_FROM askos_model LABELS gpu LIBRARIES askos::model)
else()
  add_test(NAME CudaAttention COMMAND "${CMAKE_COMMAND}" -E echo
    "skipped: built without CUDA (ASKOS_WITH_CUDA=OFF)")
  set_tests_properties(CudaAttention PROPERTIES LABELS "model;gpu" SKIP_REGULAR_EXPRESSION "skipped:")
endif()

if(ASKOS_WITH_MPI)
  add_executable(model_mpi_invariance_test model/mpi_invariance_test.cpp)
  target_link_libraries(model_mpi_invariance_test PRIVATE
    askos::options askos_parity askos::processes GTest::gmock GTest::gtest_main)
  target_precompile_headers(model_mpi_invariance_test REUSE_FROM askos_model)
  target_compile_options(model_mpi_invariance_test PRIVATE -fPIC)
  target_compile_definitions(model_mpi_invariance_test PRIVATE
    ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
  foreach(processes IN ITEMS 2 3 4)
    add_test(NAME MpiInvariance.${processes}Processes
      COMMAND "${ASKOS_MPIRUN}" ${ASKOS_MPIRUN_OPTIONS} -n ${processes}
              $<TARGET_FILE:model_mpi_invariance_test> --gtest_brief=1)
    set_tests_properties(MpiInvariance.${processes}Processes PROPERTIES
      LABELS "model;multirank" TIMEOUT 300 PROCESSORS 2 ENVIRONMENT "${ASKOS_MPI_ENVIRONMENT}"
      ENVIRONMENT_MODIFICATION "${ASKOS_MPI_SANITIZERS}")
  endforeach()
endif()
