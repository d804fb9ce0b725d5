# FetchContent from an archive.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} -E chdir ${SOURCE}
  ${CMAKE_COMMAND} -E tar czf ${work}/vjepa.tar.gz CMakeLists.txt cmake include LICENSE)
consume(build "" -D ROUTE=FetchContent -D VJEPA=${work}/vjepa.tar.gz)
