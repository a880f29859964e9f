askos_add_bench(comm/collective_bench LIBRARIES askos::comm nlohmann_json::nlohmann_json)
if(ASKOS_WITH_CUDA)
  askos_add_bench(comm/device_collective_bench LIBRARIES askos::device_ranks askos::nccl)
endif()
