# Faster builds (ccache, mold), sanitizers, and the layer check that every build runs.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(ASKOS_SANITIZE)
  add_compile_options(-fsanitize=${ASKOS_SANITIZE} -fno-omit-frame-pointer)
  # Half the compile time of -O2 -g (a test under AddressSanitizer: 9 s, not 19), same stack traces.
  add_compile_options(-O1 -g1)
  add_link_options(-fsanitize=${ASKOS_SANITIZE})
  if(ASKOS_SANITIZE MATCHES undefined)
    # LibTorch ships without the type information that `vptr` compares.
    add_compile_options(-fno-sanitize=vptr -fno-sanitize-recover=undefined)
    add_link_options(-fno-sanitize=vptr)
  endif()
endif()

find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_custom_target(check_layers ALL
  COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/check_layers.py" "${PROJECT_SOURCE_DIR}"
  COMMENT "Checking that every include keeps to its layer" VERBATIM)
