askos_add_test(io/dataset_writer_test LIBRARIES askos::io)
askos_add_test(io/shard_reader_test LIBRARIES askos::io)
