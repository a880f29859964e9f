askos_add_bench(model/attention_bench PCH_FROM askos_model LIBRARIES askos::model)
askos_add_bench(model/step_bench PCH_FROM askos_model LIBRARIES askos::model)
askos_add_bench(model/wire_bench PCH_FROM askos_model LIBRARIES askos::model)
