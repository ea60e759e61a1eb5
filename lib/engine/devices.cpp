// What there is to compute on.
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "engine/auto_device.h"
#include "engine/cpu/simd.h"
#include "engine/cuda_module.h"

namespace lepton {
namespace {

std::string processor_name() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

std::optional<Precision> parse_precision(std::string_view name) {
  for (size_t i = 0; i < std::size(kPrecisionNames); ++i) {
    if (name == kPrecisionNames[i]) return static_cast<Precision>(i);
  }
  return std::nullopt;
}

std::vector<DeviceInfo> gpus(std::string* missing) {
  try {
    return cuda_module().devices();
  } catch (const Error& error) {
    if (error.status() != Exit::device) throw;
    if (missing != nullptr) *missing = error.what();
    return {};
  }
}

DeviceInfo processor() {
  return {"cpu", processor_name(), static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE), "", ""};
}

std::string why_not_a_gpu(std::string_view device) {
  if (device != "auto") return "";
  std::string why;
  if (!gpus(&why).empty()) why = auto_device().warning();
  return why.empty() ? "" : fmt::format("auto is the CPU: {}\n", why);
}

std::string gpu_warning(std::string_view device) { return device == "auto" ? auto_device().warning() : ""; }

std::string precision_warning(std::string_view device, Precision precision) {
  const bool on_cpu = device == "cpu" || (device == "auto" && (gpus().empty() || !auto_device().warning().empty()));
  return on_cpu && precision == Precision::bf16 && !cpu::has_bf16() ? cpu::kNoBf16 : "";
}

}  // namespace lepton
