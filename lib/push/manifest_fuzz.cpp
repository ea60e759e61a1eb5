// Manifests, pointers and sealed lists of files come from wherever a destination's bytes come from.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "push/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lepton;
  const std::string text(reinterpret_cast<const char*>(data), size);
  Manifest manifest;
  try {
    manifest = parse_manifest(text, "fuzz");
    manifest_text(manifest);
  } catch (const Error&) {
  }
  try {
    parse_files(text, "fuzz", manifest);
  } catch (const Error&) {
  }
  try {
    pointer_text(parse_pointer(text, "fuzz"));
  } catch (const Error&) {
  }
  return 0;
}
