# cmake --install of a whole build: the programs are there too, and run.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

if(NOT PROGRAMS)
  message("SKIPPED: no programs in this build")
  return()
endif()
run(${CMAKE_COMMAND} --install ${BINARY} --prefix ${work}/prefix)
string(REPLACE " " ";" PROGRAMS "${PROGRAMS}")
foreach(program IN LISTS PROGRAMS)
  run(${work}/prefix/bin/${program} --help)
endforeach()
