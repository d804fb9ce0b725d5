# What programs, tests and benchmarks share: warnings, the processor to compile for, the matrix product of the CPU device
# and the CUDA device, compiled once. `vjepa_programs` is the target they link, and `vjepa_cuda_device` beside it where
# nvcc is; generated headers name the choices as types.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(VJEPA_GEMM_eigen EigenGemm)
set(VJEPA_GEMM_blas BlasGemm)
set(VJEPA_GEMM_onednn OneDnnGemm)
set(gemm ${VJEPA_GEMM})
if(gemm STREQUAL "auto")
  set(gemm eigen)
  foreach(candidate IN ITEMS blas onednn)  # the last found is the fastest
    if(TARGET vjepa::${candidate})
      set(gemm ${candidate})
    endif()
  endforeach()
elseif(NOT DEFINED VJEPA_GEMM_${gemm})
  message(FATAL_ERROR "VJEPA_GEMM=${gemm}: choose auto, eigen, blas or onednn")
elseif(NOT gemm STREQUAL "eigen" AND NOT TARGET vjepa::${gemm})
  message(FATAL_ERROR "VJEPA_GEMM=${gemm}: the library was not found; install it, or choose auto")
endif()
message(STATUS "vjepa: matrix products of the programs by ${gemm} (VJEPA_GEMM=${VJEPA_GEMM})")

set(VJEPA_GEMM_HEADER ${gemm}_gemm.hpp)
set(VJEPA_GEMM_TYPE ${VJEPA_GEMM_${gemm}})
configure_file(${CMAKE_CURRENT_LIST_DIR}/program_gemm.hpp.in ${CMAKE_BINARY_DIR}/generated/program_gemm.hpp)

set(has_cuda OFF)
if(TARGET vjepa::cuda)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES OFF CACHE STRING "Compute capabilities to compile for; OFF: 8.0 and 9.0 in one pass")
    endif()
    if(NOT CMAKE_CUDA_ARCHITECTURES)
      # A100 and H100. No kernel asks for what is newer than 8.0, so that the slow half of nvcc runs once for both.
      set(cuda_code --generate-code=arch=compute_80,code=[compute_80,sm_80,sm_90])
    endif()
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
    enable_language(CUDA)
    set(has_cuda ON)
  endif()
endif()
if(VJEPA_CUDA STREQUAL "ON" AND NOT has_cuda)
  message(FATAL_ERROR "VJEPA_CUDA=ON: nvcc 12 or later with cuBLAS was not found; set CUDACXX to nvcc, or choose auto")
endif()
message(STATUS "vjepa: CUDA device in the programs: ${has_cuda} (VJEPA_CUDA=${VJEPA_CUDA})")

# The CUDA device, compiled once, and how the programs' attends.
if(has_cuda)
  set(VJEPA_ATTENTION_HEADER attention.hpp)
  set(VJEPA_ATTENTION_TYPE FlashAttention)
  if(TARGET vjepa::cudnn)
    set(VJEPA_ATTENTION_HEADER cudnn_attention.hpp)
    set(VJEPA_ATTENTION_TYPE CudnnAttention)
  endif()
  message(STATUS "vjepa: attention of the CUDA device in the programs: ${VJEPA_ATTENTION_TYPE}")
  configure_file(${CMAKE_CURRENT_LIST_DIR}/program_cuda.hpp.in ${CMAKE_BINARY_DIR}/generated/program_cuda.hpp)
  add_library(vjepa_cuda_device STATIC)
  foreach(scalar IN ITEMS float vjepa::bf16)
    string(REPLACE "vjepa::" "" name ${scalar})
    set(source ${CMAKE_BINARY_DIR}/generated/cuda_${name}.cu)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"vjepa/cuda.cuh\"\n\nVJEPA_CUDA_DEVICE(${scalar});\n")
    target_sources(vjepa_cuda_device PRIVATE ${source})
  endforeach()
  target_link_libraries(vjepa_cuda_device
    PUBLIC vjepa::cuda $<TARGET_NAME_IF_EXISTS:vjepa::cudnn>
    PRIVATE vjepa_programs)
endif()

# Comparisons that may trap are compiled to masks and branches; nothing here looks at floating-point exceptions.
set(speed_options -fno-trapping-math)
include(CheckCXXCompilerFlag)
# No copies of functions for the constants that callers give them: models took longer to compile, steps no less to run.
check_cxx_compiler_flag(-fno-ipa-cp-clone VJEPA_HAS_IPA_CP_CLONE)
if(VJEPA_HAS_IPA_CP_CLONE)
  list(APPEND speed_options -fno-ipa-cp-clone)
endif()
if(VJEPA_NATIVE)
  list(APPEND speed_options -march=native)
  # The products use the widest vectors there are, so that the clock is down already: let the loops use them, too.
  check_cxx_compiler_flag(-mprefer-vector-width=512 VJEPA_HAS_VECTOR_WIDTH)
  if(VJEPA_HAS_VECTOR_WIDTH)
    list(APPEND speed_options -mprefer-vector-width=512)
  endif()
endif()

add_library(vjepa_programs INTERFACE)
target_link_libraries(vjepa_programs INTERFACE vjepa::vjepa)
target_include_directories(vjepa_programs INTERFACE ${CMAKE_BINARY_DIR}/generated)
if(NOT gemm STREQUAL "eigen")
  target_link_libraries(vjepa_programs INTERFACE vjepa::${gemm})
endif()
target_compile_options(vjepa_programs INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:${cuda_code}>"
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wconversion>
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion>"
  # Eigen 3.4 under g++ 12 with AVX-512 warns of its own intrinsics.
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>"
  # Loops marked `omp simd` are vector code where the compiler can; where not, that is no news.
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-pass-failed>
  "$<$<COMPILE_LANGUAGE:CXX>:${speed_options}>")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
