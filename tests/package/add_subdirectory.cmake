# add_subdirectory: the targets reach the folder above.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

consume(build "${COMPONENTS}" -D ROUTE=add_subdirectory -D VJEPA=${SOURCE})
