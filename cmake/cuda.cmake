# cuda_test: the CUDA engine over its host policy, on any machine. It runs the engine tests of lib/engine and its own.
if(LEPTON_TESTS)
  file(GLOB cuda_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cuda/*_test.cpp)
  add_executable(cuda_test ${cuda_tests} cuda/host_policy.cpp lib/engine/engine_test.cpp lib/engine/golden_test.cpp
                           lib/engine/layer_test.cpp)
  target_include_directories(cuda_test PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(cuda_test PRIVATE lepton_engine GTest::gtest GTest::gtest_main)
  target_compile_definitions(cuda_test PRIVATE LEPTON_TESTDATA="${CMAKE_SOURCE_DIR}/testdata")
  # engine_test compares the reference with finite differences.
  add_test(NAME cuda COMMAND cuda_test --gtest_filter=-*TheReferenceAgrees*)
  set_tests_properties(cuda PROPERTIES LABELS unit)
endif()
