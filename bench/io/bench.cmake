askos_add_bench(io/reader_bench LIBRARIES askos::io)
