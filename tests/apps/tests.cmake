# The programs are tested from outside, as their users meet them.
add_library(apps_support STATIC apps/support/program.cpp)
target_link_libraries(apps_support PRIVATE askos::options)

askos_add_test(apps/askos_test
  LIBRARIES apps_support askos::dataflow nlohmann_json::nlohmann_json)
add_dependencies(apps_askos_test askos)
target_compile_definitions(apps_askos_test PRIVATE
  ASKOS_PROGRAM="$<TARGET_FILE:askos>"
  ASKOS_VERSION="${PROJECT_VERSION}"
  ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")

askos_add_test(apps/control_test
  LIBRARIES apps_support nlohmann_json::nlohmann_json)
add_dependencies(apps_control_test askos)
target_compile_definitions(apps_control_test PRIVATE
  ASKOS_PROGRAM="$<TARGET_FILE:askos>"
  ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")

askos_add_test(apps/rank_output_test LIBRARIES askos_launch)
if(ASKOS_WITH_MPI)
  askos_add_test(apps/launch_test LIBRARIES apps_support)
  add_dependencies(apps_launch_test askos)
  target_compile_definitions(apps_launch_test PRIVATE ASKOS_PROGRAM="$<TARGET_FILE:askos>")
endif()

askos_add_test(apps/why_test LABELS slow
  LIBRARIES apps_support askos::dataflow nlohmann_json::nlohmann_json)
add_dependencies(apps_why_test askos)
target_compile_definitions(apps_why_test PRIVATE
  ASKOS_PROGRAM="$<TARGET_FILE:askos>"
  ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")

foreach(test IN ITEMS data_import_test data_verify_test)
  askos_add_test(apps/${test} LIBRARIES apps_support askos::io nlohmann_json::nlohmann_json)
  add_dependencies(apps_${test} askos askos-data)
  target_compile_definitions(apps_${test} PRIVATE
    ASKOS_PROGRAM="$<TARGET_FILE:askos>"
    ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")
endforeach()

askos_add_test(apps/recording_test
  LIBRARIES apps_support askos::io PkgConfig::HDF5 nlohmann_json::nlohmann_json)
add_dependencies(apps_recording_test askos askos-data)
target_compile_definitions(apps_recording_test PRIVATE
  ASKOS_PROGRAM="$<TARGET_FILE:askos>"
  ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")

askos_add_test(apps/checkpoint_command_test
  LIBRARIES apps_support askos::io nlohmann_json::nlohmann_json)
add_dependencies(apps_checkpoint_command_test askos askos-data)
askos_add_test(apps/drills_test LIBRARIES apps_support askos::io)
add_dependencies(apps_drills_test askos)
foreach(test IN ITEMS checkpoint_command_test drills_test)
  target_compile_definitions(apps_${test} PRIVATE ASKOS_PROGRAM="$<TARGET_FILE:askos>")
endforeach()

if(ASKOS_WITH_TORCH)
  target_compile_definitions(apps_drills_test PRIVATE ASKOS_TRAINS)
  add_dependencies(apps_drills_test askos-model)
  askos_add_test(apps/kill_test LIBRARIES apps_support askos::io)
  askos_add_test(apps/kill_slow_test LABELS slow TIMEOUT 1800 LIBRARIES apps_support askos::io)
  foreach(test IN ITEMS kill_test kill_slow_test)
    add_dependencies(apps_${test} askos askos-data askos-model)
    target_compile_definitions(apps_${test} PRIVATE ASKOS_PROGRAM="$<TARGET_FILE:askos>")
  endforeach()
  if(ASKOS_WITH_MPI)
    target_compile_definitions(apps_kill_test PRIVATE ASKOS_LAUNCHES)
  endif()
  askos_add_test(apps/time_limit_test LIBRARIES askos::dataflow)
  target_sources(apps_time_limit_test PRIVATE "${PROJECT_SOURCE_DIR}/apps/model/time_limit.cpp")
  target_include_directories(apps_time_limit_test PRIVATE "${PROJECT_SOURCE_DIR}/apps/model")
  askos_add_test(apps/store_rendezvous_test LIBRARIES askos_store_rendezvous)
  askos_add_test(apps/bad_input_test LIBRARIES apps_support askos::io PkgConfig::HDF5)
  askos_add_test(apps/reference_test LIBRARIES apps_support askos::io)
  add_dependencies(apps_reference_test askos askos-model)
  target_compile_definitions(apps_reference_test PRIVATE
    ASKOS_PROGRAM="$<TARGET_FILE:askos>"
    ASKOS_PARITY_FOLDER="${PROJECT_SOURCE_DIR}/tests/parity")
  askos_add_test(apps/training_recording_test PCH_FROM askos_model LABELS multirank
    LIBRARIES apps_support askos::actors nlohmann_json::nlohmann_json)
  add_dependencies(apps_training_recording_test askos askos-data askos-model)
  target_compile_definitions(apps_training_recording_test PRIVATE
    ASKOS_PROGRAM="$<TARGET_FILE:askos>")
  askos_add_test(apps/model_test TIMEOUT 600 LIBRARIES apps_support askos::io)
  foreach(test IN ITEMS bad_input_test model_test)
    add_dependencies(apps_${test} askos askos-data askos-model)
    target_compile_definitions(apps_${test} PRIVATE
      ASKOS_PROGRAM="$<TARGET_FILE:askos>"
      ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")
  endforeach()
  if(ASKOS_WITH_MPI)
    askos_add_test(apps/processes_test TIMEOUT 600 LIBRARIES apps_support askos::io)
    add_dependencies(apps_processes_test askos askos-data askos-model)
    target_compile_definitions(apps_processes_test PRIVATE
      ASKOS_PROGRAM="$<TARGET_FILE:askos>"
      ASKOS_MPIRUN="${ASKOS_MPIRUN}"
      ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")
  endif()
endif()

# Ranks with a GPU each, which they may share. Every reference case on a GPU; model cases in bfloat16 as well.
if(ASKOS_WITH_CUDA AND ASKOS_WITH_TORCH)
  askos_add_test(apps/gpu_ranks_test LABELS gpu TIMEOUT 600 LIBRARIES apps_support askos::io)
  add_dependencies(apps_gpu_ranks_test askos askos-model)
  file(GLOB cases "${PROJECT_SOURCE_DIR}/tests/parity/*/*.json")
  list(TRANSFORM cases REPLACE "/[^/]*$" "")
  list(REMOVE_DUPLICATES cases)
  foreach(case IN LISTS cases)
    cmake_path(GET case FILENAME name)
    set(dtypes float32)
    if(EXISTS "${case}/model.json")
      list(APPEND dtypes bfloat16)
    endif()
    foreach(dtype IN LISTS dtypes)
      list(APPEND cases_of_${dtype} "${case}")
      add_test(NAME DeviceParity.${name}_${dtype}
        COMMAND askos-model parity "${case}" --device cuda --dtype ${dtype})
      set_tests_properties(DeviceParity.${name}_${dtype} PROPERTIES LABELS "apps;gpu" TIMEOUT 120
        SKIP_REGULAR_EXPRESSION "no CUDA device can be used here")
    endforeach()
  endforeach()

  # The same on ranks that share the GPUs there are.
  foreach(num_ranks IN ITEMS 2 4)
    foreach(dtype IN ITEMS float32 bfloat16)
      add_test(NAME DeviceParity.on_${num_ranks}_ranks_${dtype}
        COMMAND askos launch --gpus -n ${num_ranks} -- $<TARGET_FILE:askos> parity ${cases_of_${dtype}}
          --dtype ${dtype})
      set_tests_properties(DeviceParity.on_${num_ranks}_ranks_${dtype} PROPERTIES
        LABELS "apps;multirank;gpu" TIMEOUT 600
        SKIP_REGULAR_EXPRESSION "no CUDA device can be used here")
    endforeach()
  endforeach()
else()
  add_test(NAME DeviceParity COMMAND "${CMAKE_COMMAND}" -E echo
    "skipped: built without CUDA (ASKOS_WITH_CUDA=OFF)")
  set_tests_properties(DeviceParity PROPERTIES LABELS "apps;gpu" SKIP_REGULAR_EXPRESSION "skipped:")
endif()

# Tests in Python, which need no package of it. 77: skipped, with the reason as their output.
function(askos_add_python_test name script interpreter)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "TIMEOUT" "LABELS;ARGUMENTS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND "${interpreter}" "${CMAKE_CURRENT_SOURCE_DIR}/apps/${script}" ${arg_ARGUMENTS})
  set_tests_properties(${name} PROPERTIES LABELS "apps;${arg_LABELS}" SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
                       ENVIRONMENT "PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/apps;PYTHONDONTWRITEBYTECODE=1")
endfunction()
askos_add_python_test(Device.PacksAndRuns device_script_test.py "${Python3_EXECUTABLE}"
  ARGUMENTS "${PROJECT_SOURCE_DIR}/scripts/device")
set(pictures "${PROJECT_BINARY_DIR}/pictures")
askos_add_python_test(Top.FillsATerminalUntilQ top_test.py "${Python3_EXECUTABLE}"
  ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples/graphs/chain.toml" "${pictures}")
askos_add_python_test(Ui.ServerKeepsItsBounds page_server_test.py "${Python3_EXECUTABLE}"
  ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples/graphs/chain.toml")
askos_add_python_test(Ui.ServerKeepsItsBoundsAtLength page_server_test.py "${Python3_EXECUTABLE}"
  LABELS slow TIMEOUT 1800
  ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples/graphs/chain.toml" 100000 1000)
if(ASKOS_WITH_TORCH)
  askos_add_python_test(Storm.HasItsLossesAfterAHold hold_test.py "${Python3_EXECUTABLE}"
    LABELS multirank
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples" 0 --set training.batch_size=1)
  askos_add_python_test(Storm.HasItsLossesAfterAHoldOfAMinute hold_test.py "${Python3_EXECUTABLE}"
    LABELS slow multirank
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples" 60)
  askos_add_python_test(Storm.KeepsItsSizeAndFiles soak_test.py "${Python3_EXECUTABLE}"
    LABELS multirank
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples" 60 3 20 --set training.batch_size=1)
  askos_add_python_test(Storm.KeepsItsSizeAndFilesForHalfAnHour soak_test.py "${Python3_EXECUTABLE}"
    LABELS slow multirank TIMEOUT 3700
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples" 1000000 150 1
      --set training.batch_size=1 --time-limit "30 min")
  set(ASKOS_READERS_PYTHON "${Python3_EXECUTABLE}" CACHE FILEPATH
      "A Python that has HolisticTraceAnalysis and perfetto, for tests of traces")
  askos_add_python_test(Storm.PageIsSteeredInABrowser page_test.py "${Python3_EXECUTABLE}"
    LABELS browser
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples" "${pictures}")
  # Training on three ranks and a browser beside it need both cores.
  set_tests_properties(Storm.PageIsSteeredInABrowser PROPERTIES RUN_SERIAL TRUE)
  askos_add_python_test(Storm.TracesAreReadByOtherTools trace_readers_test.py "${ASKOS_READERS_PYTHON}"
    LABELS slow
    ARGUMENTS $<TARGET_FILE:askos> "${PROJECT_SOURCE_DIR}/examples")
endif()
