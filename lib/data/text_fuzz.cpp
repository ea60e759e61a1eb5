// Texts of strangers: recipes of texts with their parts, files of rows in every form, and texts through each tokenizer.
// Every input is a recipe that writes itself back and encodes text to ids below its number of tokens, or
// Error(mismatch); rows end, and each is a valid text or has a problem.
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.h"
#include "data/recipe_text.h"
#include "data/text_fit.h"
#include "io/lines.h"

namespace {

using namespace lepton;

void try_recipe(const std::string& steps, std::string_view part, std::string_view text) {
  const RecipeParts parts = {{"vocabulary", {part.begin(), part.end()}}, {"buckets", {part.begin(), part.end()}}};
  try {
    const std::string json = R"({"version":1,"kind":"text","steps":[)" + steps + "]}";
    const auto recipe = read_recipe(json, parts);
    if (recipe->json() != json) std::abort();
    const Prepared prepared = recipe->prepare({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    for (size_t at = 0; at < prepared.x.size(); at += sizeof(int32_t)) {
      int32_t id = 0;
      std::memcpy(&id, prepared.x.data() + at, sizeof id);
      if (id < 0 || id >= recipe->tokens()) std::abort();
    }
  } catch (const Error& error) {
    if (error.status() != Exit::mismatch && error.status() != Exit::bad_inputs) std::abort();
  }
}

void try_bytes(std::string_view text) {
  try {
    check_utf8(text);
    const std::string plain = normalise(text, {true, true});
    check_utf8(plain);
    size_t bytes = 0;
    for_each_word(plain, [&](std::string_view word, bool) { bytes += word.size(); });
    if (bytes > plain.size()) std::abort();
    const NgramSizes sizes;
    for_each_ngram(plain, sizes, [&](uint32_t bucket) {
      if (bucket >= sizes.buckets) std::abort();
    });
  } catch (const Error& error) {
    if (error.status() != Exit::bad_inputs) std::abort();
  }
  LineReader lines(memory_bytes(text), 16);
  bool too_long = false;
  for (std::string line; lines.next(line, too_long);) {
    if (line.size() > 16) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view part = all.substr(0, size / 2), text = all.substr(size / 2);
  const std::string before =
      R"({"step":"read","unit":"record","column":"text","encoding":"UTF-8","max_bytes":1000},{"step":"normalise","nfkc":false,"fold":true},)";
  const std::string after = R"(,{"step":"length","length":9})";
  try_recipe(before + R"({"step":"tokens","kind":"words"})" + after, part, text);
  try_recipe(before + R"({"step":"tokens","kind":"subword"})" + after, part, text);
  std::string scored;  // lines that are pieces, mostly
  for (const char c : part.substr(0, 200)) scored += std::string(1, c) + "\t-" + std::to_string(c & 7) + "\n";
  try_recipe(before + R"({"step":"tokens","kind":"subword"})" + after, scored, text);
  try_recipe(before + R"({"step":"tokens","kind":"ngrams","words":2,"least":3,"most":6,"buckets":)" +
                 std::to_string(part.size() * 8) + "}" + after,
             part, text);
  try_recipe(std::string(all), part, text);
  try_bytes(all);
  return 0;
}
