# cmake --install: what is where, that nothing of it knows where it was built, and that it may be moved.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${configure} -S ${SOURCE} -B build -D VJEPA_BUILD_PROGRAMS=OFF -D VJEPA_BUILD_TESTS=OFF -D VJEPA_BUILD_BENCH=OFF)
run(${CMAKE_COMMAND} --install build --prefix ${work}/first)

file(GLOB_RECURSE expected RELATIVE ${SOURCE} ${SOURCE}/include/*.hpp ${SOURCE}/include/*.cuh)
list(APPEND expected share/pkgconfig/vjepa.pc share/vjepa/vjepa-config.cmake share/vjepa/vjepa-config-version.cmake
  share/vjepa/vjepa-targets.cmake share/vjepa/VjepaDependencies.cmake)
file(GLOB_RECURSE installed RELATIVE ${work}/first ${work}/first/*)
set(missing ${expected})
list(REMOVE_ITEM missing ${installed})
list(REMOVE_ITEM installed ${expected})
if(missing OR installed)
  message(FATAL_ERROR "not installed: ${missing}\ninstalled, and not expected: ${installed}")
endif()

file(GLOB_RECURSE files ${work}/first/share/*)
foreach(file IN LISTS files)
  file(READ ${file} text)
  foreach(folder IN ITEMS ${SOURCE} ${work})
    string(FIND "${text}" ${folder} at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names the folder ${folder}")
    endif()
  endforeach()
endforeach()

file(REMOVE_RECURSE ${prefix})
file(RENAME ${work}/first ${prefix})
