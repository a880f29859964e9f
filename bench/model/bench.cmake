askos_add_bench(model/attention_bench PCH_FROM askos_model LIBRARIES askos::model)
askos_add_bench(model/step_bench PCH_FROM askos_model LIBRARIES askos::model)
askos_add_bench(model/wire_bench PCH_FROM askos_model LIBRARIES askos::model)
askos_add_bench(model/scaling_bench PCH_FROM askos_model LIBRARIES askos::model)
if(ASKOS_WITH_CUDA)
  # Meshes and kernels alone: the program runs where there is no LibTorch.
  askos_add_bench(model/cuda_attention_bench LIBRARIES askos::cuda_attention askos::base)
  target_sources(cuda_attention_bench PRIVATE model/benchmark_graphs.cpp
    ${PROJECT_SOURCE_DIR}/model/src/graph.cpp ${PROJECT_SOURCE_DIR}/model/src/icosphere.cpp
    ${PROJECT_SOURCE_DIR}/model/src/neighbours.cpp)
  target_include_directories(cuda_attention_bench PRIVATE ${PROJECT_SOURCE_DIR}/model/include)
  target_link_libraries(cuda_attention_bench PRIVATE nanoflann::nanoflann)
  askos_add_bench(model/device_step_bench PCH_FROM askos_model LIBRARIES askos::model CUDA::cudart)
endif()
