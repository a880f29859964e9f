askos_add_test(dataflow/graph_file_test LIBRARIES askos::dataflow)
askos_add_test(dataflow/session_test LIBRARIES askos::dataflow)
