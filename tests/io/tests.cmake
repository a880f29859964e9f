askos_add_test(io/dataset_writer_test LIBRARIES askos::io)
