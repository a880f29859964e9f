# Third-party libraries as imported targets; installed beside askosConfig.cmake, so that a consumer
# finds the same ones. Versions and origins: docs/reference/dependencies.md.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)

# Header only: Debian's shared spdlog would tie our binaries to its build options.
add_library(askos::spdlog INTERFACE IMPORTED GLOBAL)
target_compile_definitions(askos::spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
target_link_libraries(askos::spdlog INTERFACE fmt::fmt-header-only Threads::Threads)

set(askos_caf caf-0.18.7)
if(ASKOS_SANITIZE MATCHES thread)
  set(askos_caf caf-0.18.7-tsan)
endif()
if(NOT CAF_ROOT)
  set(CAF_ROOT "${ASKOS_DEPS}/${askos_caf}" CACHE PATH "Install prefix of CAF (0.18.7 or 1.x)")
endif()
find_package(CAF COMPONENTS core io REQUIRED PATHS "${CAF_ROOT}" NO_DEFAULT_PATH)

find_package(CLI11 REQUIRED)
find_package(toml11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nanoflann REQUIRED)
find_package(Qhull REQUIRED)

# Debian's CMake package files for HDF5 and netCDF name the MPI variant as well; take the serial one.
find_package(PkgConfig REQUIRED)
pkg_check_modules(HDF5 REQUIRED IMPORTED_TARGET hdf5-serial)
find_library(HDF5_HL_LIBRARY hdf5_serial_hl REQUIRED)
target_link_libraries(PkgConfig::HDF5 INTERFACE "${HDF5_HL_LIBRARY}")
pkg_check_modules(NETCDF REQUIRED IMPORTED_TARGET netcdf)

pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)

if(ASKOS_WITH_MPI)
  # The C interface alone: MPI's own compiler flags name its deprecated C++ one.
  pkg_check_modules(MPI REQUIRED IMPORTED_TARGET ompi-c)
  add_library(askos::mpi INTERFACE IMPORTED GLOBAL)
  target_link_libraries(askos::mpi INTERFACE PkgConfig::MPI)
  target_compile_definitions(askos::mpi INTERFACE OMPI_SKIP_MPICXX)
  find_program(ASKOS_MPIRUN mpirun)
endif()

if(ASKOS_WITH_TORCH)
  # The wheel's own CMake package asks for a CUDA toolkit; two libraries are all that CPU code needs.
  # The same wheel serves GPUs: its CUDA libraries are loaded then, and find NVIDIA's beside it or
  # where LD_LIBRARY_PATH says.
  set(askos_torch "${ASKOS_DEPS}/torch-2.11.0-cpu/torch")
  if(NOT EXISTS "${askos_torch}/lib/libtorch_cpu.so")
    message(FATAL_ERROR "no LibTorch in ${askos_torch}: run scripts/bootstrap")
  endif()
  add_library(askos::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(askos::torch SYSTEM INTERFACE
    "${askos_torch}/include" "${askos_torch}/include/torch/csrc/api/include")
  target_link_libraries(askos::torch INTERFACE
    "${askos_torch}/lib/libtorch_cpu.so" "${askos_torch}/lib/libc10.so")
  if(ASKOS_WITH_CUDA)
    # No symbol of ours names them: they register themselves as they are loaded.
    target_link_options(askos::torch INTERFACE "LINKER:--allow-shlib-undefined"
      "LINKER:--push-state,--no-as-needed,${askos_torch}/lib/libtorch_cuda.so,${askos_torch}/lib/libc10_cuda.so,--pop-state")
  endif()
  target_link_options(askos::torch INTERFACE "LINKER:-rpath,${askos_torch}/lib")
endif()
if(ASKOS_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()
