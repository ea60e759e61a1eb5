// Recipe JSON: any text is a recipe that writes itself back unchanged, or Error(mismatch).
#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "data/recipe.h"

namespace {

void try_recipe(const std::string& text) {
  try {
    const std::string json = lepton::read_recipe(text)->json();
    if (lepton::read_recipe(json)->json() != json) std::abort();
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::mismatch) std::abort();
  }
}

// A row of any bytes is prepared or refused.
void try_row(std::string row) {
  static const auto kRecipe = lepton::read_recipe(
      R"({"version":1,"kind":"table","steps":[{"step":"encode","missing":["?"],"columns":[)"
      R"({"name":"a","type":"number","median":1,"missing":true},{"name":"b","type":"date","median":2020,)"
      R"("missing":false,"time":true},{"name":"c","type":"category","levels":["x"],"other":true,"missing":false}]}]})");
  while (std::count(row.begin(), row.end(), '\0') < 2) row += '\0';
  try {
    kRecipe->prepare({reinterpret_cast<const uint8_t*>(row.data()), row.size()});
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::bad_inputs && error.status() != lepton::Exit::bug) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try_recipe(text);
  try_recipe(R"({"version":1,"kind":"table","steps":[{"step":"encode","missing":[],"columns":[)" + text + "]}]}");
  try_row(text);
  try_row(text + '\0' + "2020-02-" + text + '\0' + text);
  return 0;
}
