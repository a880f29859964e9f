askos_add_test(base/error_test LIBRARIES askos::base)
askos_add_test(base/shape_test LIBRARIES askos::base)
askos_add_test(base/unit_test LIBRARIES askos::base)
askos_add_test(base/clock_test LIBRARIES askos::base)
