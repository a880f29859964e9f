askos_add_bench(telemetry/telemetry_bench LIBRARIES askos::telemetry)
