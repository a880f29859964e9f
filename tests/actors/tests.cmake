askos_add_test(actors/pipeline_test PCH_FROM askos_model TIMEOUT 300
  LABELS multirank LIBRARIES askos::actors)
