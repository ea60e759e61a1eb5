# cuda_test: the CUDA engine over its host policy, on any machine. It runs the engine tests of lib/engine and its own.
if(LEPTON_TESTS)
  file(GLOB cuda_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cuda/*_test.cpp)
  set(engine_tests lib/engine/engine_test.cpp lib/engine/golden_test.cpp lib/engine/layer_test.cpp
                   lib/engine/text_test.cpp)
  add_executable(cuda_test ${cuda_tests} cuda/host_policy.cpp ${engine_tests})
  set_source_files_properties(${engine_tests} PROPERTIES COMPILE_OPTIONS -O0)
  add_dependencies(tests cuda_test)
  target_include_directories(cuda_test PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(cuda_test PRIVATE lepton_engine lepton_train GTest::gtest GTest::gtest_main ${CMAKE_DL_LIBS})
  target_compile_definitions(cuda_test PRIVATE LEPTON_TESTDATA="${CMAKE_SOURCE_DIR}/testdata")
  add_executable(gpu_data EXCLUDE_FROM_ALL cuda/gpu_data.cpp)  # what scripts/gpu-check --pack brings along
  target_link_libraries(gpu_data PRIVATE lepton_train)
  # engine_test compares the reference with finite differences.
  add_test(NAME cuda COMMAND cuda_test --gtest_filter=-*TheReferenceAgrees*)
  set_tests_properties(cuda PROPERTIES LABELS unit)
endif()

# lepton-cuda.so, the CUDA engine over its device policy, opened at run time. It needs nvcc 13 and cuBLAS, of a toolkit
# or of PyPI's wheels; scripts/setup-cuda gets the latter.
set(LEPTON_CUDA AUTO CACHE STRING "build the CUDA module: AUTO (where nvcc and cuBLAS are), ON or OFF")
set(LEPTON_CUDA_ROOT ${CMAKE_SOURCE_DIR}/build/cuda-root CACHE PATH "folder of PyPI's CUDA wheels, beside a toolkit")
set(LEPTON_CUDA_ARCHS 90-real CACHE STRING
    "GPU architectures; for a release 75-real;80-real;86-real;89-real;90-real;90-virtual")

# Sets `missing` to why the module cannot be built, or to nothing.
macro(lepton_find_cuda missing)
  set(${missing} "")
  find_program(LEPTON_NVCC nvcc HINTS ENV CUDA_PATH /usr/local/cuda ${LEPTON_CUDA_ROOT}/nvidia/cu13
               PATH_SUFFIXES bin)
  find_package(Python3 QUIET COMPONENTS Interpreter)
  find_path(CUBLASLT_INCLUDE_DIR cublasLt.h HINTS ${LEPTON_CUDA_ROOT}/nvidia/cu13 ENV CUDA_PATH /usr/local/cuda
            ${Python3_SITELIB}/nvidia/cu13 PATH_SUFFIXES include)
  find_library(CUBLASLT_LIBRARY NAMES cublasLt libcublasLt.so.13 HINTS ${LEPTON_CUDA_ROOT}/nvidia/cu13 ENV CUDA_PATH
               /usr/local/cuda ${Python3_SITELIB}/nvidia/cu13 PATH_SUFFIXES lib64 lib)
  if(LEPTON_SANITIZE)
    set(${missing} "sanitizers are on")
  elseif(NOT LEPTON_NVCC)
    set(${missing} "there is no nvcc")
  elseif(NOT CUBLASLT_INCLUDE_DIR OR NOT CUBLASLT_LIBRARY)
    set(${missing} "there is no cuBLAS; scripts/setup-cuda gets it")
  endif()
endmacro()

function(lepton_cuda_module)
  # The few sources of other folders that it needs, so that those need not be position-independent.
  add_library(lepton-cuda MODULE cuda/module.cu cuda/device_policy.cu cuda/device_products.cu
              cuda/device_engine_fp32.cu cuda/device_engine_bf16.cu cuda/device_engine_fp16.cu lib/base/shape.cpp lib/base/tensor.cpp
              lib/base/text.cpp lib/engine/batch_check.cpp lib/engine/planner.cpp lib/net/graph.cpp)
  set_target_properties(lepton-cuda PROPERTIES PREFIX "" CUDA_ARCHITECTURES "${LEPTON_CUDA_ARCHS}"
    CUDA_RUNTIME_LIBRARY Static CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} INSTALL_RPATH_USE_LINK_PATH ON)
  target_include_directories(lepton-cuda PRIVATE ${CMAKE_SOURCE_DIR})
  target_include_directories(lepton-cuda SYSTEM PRIVATE ${CUBLASLT_INCLUDE_DIR})
  # fmt 9 takes nvcc for a compiler without constexpr.
  target_compile_definitions(lepton-cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1>)
  target_compile_options(lepton-cuda PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra;-Werror=all-warnings>")
  target_link_libraries(lepton-cuda PRIVATE fmt::fmt nlohmann_json::nlohmann_json ${CUBLASLT_LIBRARY})
  target_link_options(lepton-cuda PRIVATE LINKER:--exclude-libs,ALL LINKER:--no-undefined)
  # Not part of the package: cuBLAS is none. cmake --install BUILD --component cuda
  install(TARGETS lepton-cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lepton COMPONENT cuda EXCLUDE_FROM_ALL)
endfunction()

set(LEPTON_CUDA_STATUS "LEPTON_CUDA=${LEPTON_CUDA}" CACHE INTERNAL "why there is no module")
if(LEPTON_CUDA)
  lepton_find_cuda(LEPTON_CUDA_MISSING)
  if(NOT LEPTON_CUDA_MISSING)
    set(CMAKE_CUDA_COMPILER ${LEPTON_NVCC} CACHE FILEPATH "")
    set(CMAKE_CUDA_ARCHITECTURES ${LEPTON_CUDA_ARCHS})
    if(CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
      set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
    endif()
    enable_language(CUDA)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that nvcc has it
    lepton_cuda_module()
    if(LEPTON_TESTS)
      add_dependencies(cuda_test lepton-cuda)
      target_compile_definitions(cuda_test PRIVATE LEPTON_CUDA_MODULE="$<TARGET_FILE:lepton-cuda>")
    endif()
  elseif(LEPTON_CUDA STREQUAL "AUTO")
    set(LEPTON_CUDA_STATUS ${LEPTON_CUDA_MISSING} CACHE INTERNAL "why there is no module")
    message(STATUS "CUDA module: not built, ${LEPTON_CUDA_MISSING}")
  else()
    message(FATAL_ERROR "CUDA module: ${LEPTON_CUDA_MISSING}")
  endif()
endif()
