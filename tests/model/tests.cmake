foreach(test IN ITEMS attention ensemble_training features graph loss memory_plan migration parity
        preprocessing reference_cases scalers sharding training)
  askos_add_test(model/${test}_test PCH_FROM askos_model
    LIBRARIES askos_parity)
  target_compile_definitions(model_${test}_test PRIVATE
    ASKOS_PARITY_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/parity")
endforeach()

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
