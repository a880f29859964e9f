askos_add_test(dataflow/graph_file_test LIBRARIES askos::dataflow)
askos_add_test(dataflow/session_test LIBRARIES askos::dataflow)
askos_add_test(dataflow/why_test LIBRARIES askos::dataflow)
target_compile_definitions(dataflow_why_test PRIVATE ASKOS_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")
