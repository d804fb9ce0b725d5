# What the routes share. Each route, a way in which another project gets the library, is a script beside this one:
#   cmake -D SOURCE=... -D WORK=... -D VERSION=... -D "COMPONENTS=io config ffmpeg" ... -P <route>.cmake
# SOURCE is this project, WORK a folder for all routes, COMPONENTS those that can be used here. The route `install` puts
# the library in ${prefix} before the others need it.

get_filename_component(route ${CMAKE_SCRIPT_MODE_FILE} NAME_WE)
set(prefix ${WORK}/prefix)
set(work ${WORK}/${route})
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})
set(consumer ${CMAKE_CURRENT_LIST_DIR}/consumer)
set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -D CMAKE_MAKE_PROGRAM=${MAKE} -D CMAKE_CXX_COMPILER=${COMPILER})

# run(<command>...): must succeed; leaves what it says in `output`.
function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work} RESULT_VARIABLE result OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nfailed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# consume(<folder> <components> <cache entries>...): configures, builds and runs the consumer in ${work}/<folder>.
function(consume folder components)
  run(${configure} -S ${consumer} -B ${folder} -D "COMPONENTS=${components}" ${ARGN})
  run(${CMAKE_COMMAND} --build ${folder})
  run(${folder}/consumer)
endfunction()

# refused(<text> <components> <cache entries>...): configuring the consumer fails and says <text>.
function(refused text components)
  execute_process(COMMAND ${configure} -S ${consumer} -B ${work}/refused --fresh -D "COMPONENTS=${components}" ${ARGN}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  # CMake breaks long messages into lines.
  string(REGEX REPLACE "[ \n]+" " " words "${output}")
  string(FIND "${words}" "${text}" at)
  if(result EQUAL 0 OR at EQUAL -1)
    message(FATAL_ERROR "not refused with '${text}' (${result}): ${ARGN}\n${output}")
  endif()
endfunction()
