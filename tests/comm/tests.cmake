askos_add_test(comm/partition_test LIBRARIES askos::comm)
askos_add_test(comm/mesh_test LIBRARIES askos::comm)
askos_add_test(comm/local_conformance_test LIBRARIES askos::comm)
