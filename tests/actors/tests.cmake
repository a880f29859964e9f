foreach(test IN ITEMS hold layouts learning_rate operator_trace pipeline replay resume)
  askos_add_test(actors/${test}_test PCH_FROM askos_model TIMEOUT 300
    LABELS multirank LIBRARIES askos::actors)
endforeach()
