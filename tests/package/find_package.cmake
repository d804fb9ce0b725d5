# find_package(vjepa): the versions and components that serve, and what is said of those that do not.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" version ${VERSION})
math(EXPR next_major "${CMAKE_MATCH_1} + 1")
math(EXPR next_minor "${CMAKE_MATCH_2} + 1")
set(installed -D ROUTE=find_package -D CMAKE_PREFIX_PATH=${prefix})
# A machine that has Eigen and nothing else that CMake could find.
set(eigen_alone -D CMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -D CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF
  -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -D CMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF
  -D CMAKE_FIND_USE_CMAKE_ENVIRONMENT_PATH=OFF -D Eigen3_DIR=${EIGEN})

consume(core "" ${installed} ${eigen_alone} -D VERSION=${version})
if(COMPONENTS)
  consume(components "${COMPONENTS}" ${installed} -D VERSION=${version})
endif()
if(CUDA_COMPILER)
  consume(cuda cuda ${installed} -D VERSION=${version} -D CMAKE_CUDA_COMPILER=${CUDA_COMPILER}
    -D CMAKE_CUDA_ARCHITECTURES=90)
endif()

refused("version: ${VERSION}" "" ${installed} -D VERSION=${next_major}.0)
refused("version: ${VERSION}" "" ${installed} -D VERSION=${CMAKE_MATCH_1}.${next_minor})
refused("component 'io' lacks nlohmann_json, ZLIB;" io ${installed} ${eigen_alone})
refused("component 'config' lacks yaml-cpp/yaml.h, libyaml-cpp;" config ${installed} ${eigen_alone})
refused("component 'ffmpeg' lacks libavformat/avformat.h, libavdevice, libavformat, libavcodec, libswscale, libavutil;" ffmpeg
  ${installed} ${eigen_alone})
refused("component 'cuda' lacks CUDA::cudart, CUDA::cublasLt;" cuda ${installed} ${eigen_alone} -D CUDAToolkit_ROOT=none)
refused("component 'cudnn' lacks CUDA::cudart, CUDA::cublasLt, cudnn.h, libcudnn;" cudnn ${installed} ${eigen_alone}
  -D CUDAToolkit_ROOT=none)
refused("there is no component 'cuba'; there are io, config, ffmpeg, blas, onednn, cuda, cudnn." cuba ${installed})

# The headers of the core lead to Eigen, the standard library and nowhere else.
file(WRITE ${work}/core.cpp "#include <vjepa/vjepa.hpp>\n")
file(WRITE ${work}/allowed.cpp "#include <bits/stdc++.h>\n#include <Eigen/Dense>\n")
foreach(source IN ITEMS core allowed)
  run(${COMPILER} -std=c++20 -M -I${prefix}/include -isystem ${EIGEN_INCLUDE} ${source}.cpp)
  string(REGEX MATCHALL "/[^ \n]+" ${source} "${output}")
endforeach()
list(FILTER core EXCLUDE REGEX "^${prefix}/include/vjepa/")
list(REMOVE_ITEM core ${allowed})
if(core)
  message(FATAL_ERROR "vjepa/vjepa.hpp includes what is neither Eigen's nor the standard library's: ${core}")
endif()
