# pkg-config: two translation units with the whole library, compiled by hand.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

set(ENV{PKG_CONFIG_PATH} ${prefix}/share/pkgconfig:$ENV{PKG_CONFIG_PATH})
run(${PKG_CONFIG} --modversion vjepa)
string(STRIP "${output}" output)
if(NOT output STREQUAL VERSION)
  message(FATAL_ERROR "vjepa.pc has the version ${output}, the library ${VERSION}")
endif()
run(${PKG_CONFIG} --cflags --libs vjepa)
separate_arguments(flags UNIX_COMMAND "${output}")
run(${COMPILER} -std=c++20 ${consumer}/core.cpp ${consumer}/other.cpp ${flags} -o consumer)
run(${work}/consumer)
