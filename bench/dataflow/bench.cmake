askos_add_bench(dataflow/hop_bench LIBRARIES askos::dataflow CAF::core nlohmann_json::nlohmann_json)
