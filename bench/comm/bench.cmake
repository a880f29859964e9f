askos_add_bench(comm/collective_bench LIBRARIES askos::comm nlohmann_json::nlohmann_json)
