# conan create, with libraries of the system in the place of the packages that it would fetch.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

if(NOT CONAN)
  message("SKIPPED: no conan; pip install conan, then configure again")
  return()
endif()
set(ENV{CONAN_HOME} ${work}/home)
set(ENV{CXX} ${COMPILER})
set(recipes ${CMAKE_CURRENT_LIST_DIR}/conan)
run(${CONAN} profile detect)
foreach(package IN ITEMS eigen nlohmann_json zlib yaml-cpp ffmpeg)
  run(${CONAN} export ${recipes}/system.py --name ${package})
endforeach()

# create(<components>): makes the package, and builds and runs the consumer with it.
function(create components)
  set(options)
  foreach(component IN LISTS components)
    list(APPEND options -o vjepa/*:with_${component}=True)
  endforeach()
  run(${CONAN} create ${SOURCE} --no-remote --build=missing -pr:a default -pr:a ${recipes}/system_libraries
    -s build_type=Debug ${options} -c tools.cmake.cmaketoolchain:generator=${GENERATOR}
    -c tools.cmake.cmake_layout:test_folder=${work}/test)
endfunction()

create("")
run(${CONAN} cache path vjepa/${VERSION})  # fails where the recipe has another version
execute_process(COMMAND ${CONAN} create ${SOURCE} --build=missing -pr:a default -pr:a ${recipes}/system_libraries
  -s build_type=Debug -o vjepa/*:with_cuda=True RESULT_VARIABLE result ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "the CUDA toolkit is no package of Conan's")
  message(FATAL_ERROR "with_cuda was not refused (${result}):\n${output}")
endif()
if(COMPONENTS)
  string(REPLACE " " ";" components "${COMPONENTS}")
  create("${components}")
endif()
