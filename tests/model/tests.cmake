foreach(test IN ITEMS ensemble_training features graph loss memory_plan migration parity preprocessing
        reference_cases sharding training)
  askos_add_test(model/${test}_test PCH_FROM askos_model
    LIBRARIES askos_parity)
  target_compile_definitions(model_${test}_test PRIVATE
    ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
endforeach()

askos_add_test(model/layouts_test PCH_FROM askos_model LABELS slow TIMEOUT 1200
  LIBRARIES askos_parity)
target_compile_definitions(model_layouts_test PRIVATE
  ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
