// Recipe JSON: any text is a recipe that writes itself back unchanged, or Error(mismatch).
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "data/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string json = lepton::read_recipe({reinterpret_cast<const char*>(data), size})->json();
    if (lepton::read_recipe(json)->json() != json) std::abort();
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::mismatch) std::abort();
  }
  return 0;
}
