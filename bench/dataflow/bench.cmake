askos_add_bench(dataflow/hop_bench LIBRARIES askos::dataflow CAF::core nlohmann_json::nlohmann_json)
askos_add_bench(dataflow/control_bench LIBRARIES askos::dataflow nlohmann_json::nlohmann_json)
askos_add_bench(dataflow/overlap_bench LIBRARIES askos::dataflow nlohmann_json::nlohmann_json)
