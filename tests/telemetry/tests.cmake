askos_add_test(telemetry/ledger_test LIBRARIES askos::telemetry)
askos_add_test(telemetry/run_span_test LIBRARIES askos::telemetry nlohmann_json::nlohmann_json)
askos_add_test(telemetry/trace_test LIBRARIES askos::telemetry)
askos_add_test(telemetry/trace_files_test
  LIBRARIES askos::telemetry nlohmann_json::nlohmann_json ZLIB::ZLIB)
