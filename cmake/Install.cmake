# An installed askos is found with find_package(askos); tests/package builds a consumer of it.
include(CMakePackageConfigHelpers)
set(askos_package "${CMAKE_INSTALL_LIBDIR}/cmake/askos")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/askosConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
configure_file("${CMAKE_CURRENT_LIST_DIR}/askosConfig.cmake.in"
               "${CMAKE_BINARY_DIR}/askosConfig.cmake" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/askosConfig.cmake" "${CMAKE_BINARY_DIR}/askosConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/Dependencies.cmake"
        DESTINATION "${askos_package}")
install(EXPORT askosTargets NAMESPACE askos:: DESTINATION "${askos_package}")
