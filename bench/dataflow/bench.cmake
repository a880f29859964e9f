askos_add_bench(dataflow/hop_bench LIBRARIES askos::dataflow CAF::core nlohmann_json::nlohmann_json)
askos_add_bench(dataflow/control_bench LIBRARIES askos::dataflow nlohmann_json::nlohmann_json)
askos_add_bench(dataflow/overlap_bench LIBRARIES askos::dataflow nlohmann_json::nlohmann_json)
if(ASKOS_WITH_CUDA)
  askos_add_bench(dataflow/device_overlap_bench
    LIBRARIES askos::dataflow askos::device_ranks CUDA::cublas CUDA::cudart nlohmann_json::nlohmann_json)
endif()
