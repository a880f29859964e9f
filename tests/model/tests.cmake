askos_add_test(model/parity_test PCH_FROM askos_model LIBRARIES askos::model askos::io nlohmann_json::nlohmann_json)
target_compile_definitions(model_parity_test PRIVATE
  ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
askos_add_test(model/sharding_test PCH_FROM askos_model LIBRARIES askos::model)
