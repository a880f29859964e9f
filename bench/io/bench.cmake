askos_add_bench(io/reader_bench LIBRARIES askos::io)
askos_add_bench(io/make_dataset LIBRARIES askos::io CLI11::CLI11)
