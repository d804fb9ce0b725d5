# Installs the library into a fresh folder, then configures, builds and runs a consumer of the installed package.
#   cmake -D SOURCE=... -D BINARY=... -D CONSUMER=... -D COMPILER=... -P run.cmake

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nfailed (${result}):\n${output}")
  endif()
endfunction()

get_filename_component(name ${CONSUMER} NAME)
set(work ${BINARY}/package/${name})
file(REMOVE_RECURSE ${work})
run(${CMAKE_COMMAND} --install ${BINARY} --prefix ${work}/prefix)
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${work}/build -G Ninja -D CMAKE_PREFIX_PATH=${work}/prefix
  -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=Debug)
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
file(REMOVE_RECURSE ${work})
