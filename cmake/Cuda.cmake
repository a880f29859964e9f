# CUDA and NCCL of the toolkit, for sources that the preset `gpu` adds.
enable_language(CUDA)
find_package(CUDAToolkit 12.4 REQUIRED)
# CMake 3.25 knows no C++20 of nvcc 13; .cu files include neither LibTorch nor our C++20 headers.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # one in each process, LibTorch's
if(CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${CCACHE}")
endif()

find_path(NCCL_INCLUDE_DIR nccl.h HINTS "${CUDAToolkit_INCLUDE_DIRS}" REQUIRED)
find_library(NCCL_LIBRARY nccl HINTS "${CUDAToolkit_LIBRARY_DIR}" REQUIRED)
add_library(askos::nccl INTERFACE IMPORTED GLOBAL)
target_include_directories(askos::nccl SYSTEM INTERFACE "${NCCL_INCLUDE_DIR}")
target_link_libraries(askos::nccl INTERFACE "${NCCL_LIBRARY}" CUDA::cudart)
