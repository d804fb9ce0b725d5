# vjepa::vjepa and its components, as targets of this build.

include(GNUInstallDirs)
include(VjepaDependencies)

find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(OpenMP QUIET COMPONENTS CXX)  # without it, one thread

add_library(vjepa INTERFACE)
add_library(vjepa::vjepa ALIAS vjepa)
target_compile_features(vjepa INTERFACE cxx_std_20)
target_link_libraries(vjepa INTERFACE Eigen3::Eigen)
if(TARGET OpenMP::OpenMP_CXX)
  # The installed package looks for OpenMP again, on the machine where it is used.
  target_link_libraries(vjepa INTERFACE $<BUILD_INTERFACE:OpenMP::OpenMP_CXX>)
endif()

file(GLOB_RECURSE headers CONFIGURE_DEPENDS include/*.hpp include/*.cuh)
target_sources(vjepa INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${headers})
set(VJEPA_HEADERS ${headers})
list(TRANSFORM VJEPA_HEADERS REPLACE "^.*/include/" "")  # as they are included

set(components ${VJEPA_COMPONENTS})
if(NOT VJEPA_CUDA)
  list(REMOVE_ITEM components cuda cudnn)
endif()
foreach(component IN LISTS components)
  vjepa_add_component(${component})
  if(TARGET vjepa::${component})
    # A project that adds this one by add_subdirectory or FetchContent links it from a folder above.
    set_target_properties(vjepa::${component} PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endforeach()
