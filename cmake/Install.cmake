# An installed askos is found with find_package(askos); tests/package builds a consumer of it.
include(CMakePackageConfigHelpers)
