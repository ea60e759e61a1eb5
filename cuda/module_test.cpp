// The border between program and module, with and without a GPU.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/cuda_module.h"

namespace lepton {
namespace {

std::string device_error(const char* device) {
  try {
    compile(build_graph("dense classes", {3}, 2), device, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::device) << error.what();
    return error.what();
  }
  return {};
}

TEST(CudaModule, ADeviceThatIsNotThereSaysWhatIsMissing) {
  std::string missing;
  const bool any = !gpus(&missing).empty();
  EXPECT_EQ(missing.empty(), any);
  EXPECT_EQ(device_error("cuda"), missing);
  EXPECT_EQ(device_error("auto"), "");
  EXPECT_EQ(why_not_a_gpu("auto").empty(), any);
  EXPECT_EQ(why_not_a_gpu("cpu"), "");
  EXPECT_NE(device_error("cuda:99").find("cuda"), std::string::npos);
  for (const char* wrong : {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cudagpu"}) {
    EXPECT_NE(device_error(wrong).find(wrong), std::string::npos);
  }
}

// Past the look for a driver: the module itself opens, and its errors are ours.
TEST(CudaModule, OpensAndThrowsOverTheBorder) {
#ifndef LEPTON_CUDA_MODULE
  GTEST_SKIP() << "the module is not built";
#else
  void* library = dlopen(LEPTON_CUDA_MODULE, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  void* entry = dlsym(library, kCudaModuleEntry);
  ASSERT_NE(entry, nullptr);
  const CudaModule& module = *reinterpret_cast<const CudaModule* (*)()>(entry)();
  EXPECT_STREQ(module.build, kCudaModuleBuild);
  try {
    EXPECT_FALSE(module.devices().empty());
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::device);
    EXPECT_TRUE(std::string(error.what()).starts_with("cuda: no card")) << error.what();
    std::cerr << error.what() << "\n";
  }
#endif
}

}  // namespace
}  // namespace lepton
