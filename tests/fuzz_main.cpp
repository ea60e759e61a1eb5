// Drives a libFuzzer target where the compiler has no libFuzzer: replays every file below the folders given, then
// mutations of them drawn from a fixed seed. LEPTON_FUZZ_RUNS sets how many (default 2000).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  std::vector<std::vector<uint8_t>> corpus;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file() || entry.file_size() > 100'000) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  corpus.emplace_back();
  std::mt19937_64 random(1);
  for (int i = 0; i < 16; ++i) {  // something to mutate where the folders hold nothing
    std::vector<uint8_t>& noise = corpus.emplace_back(4 << (i / 2));
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
  }
  for (const auto& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  const char* wanted = std::getenv("LEPTON_FUZZ_RUNS");
  const long runs = wanted ? std::strtol(wanted, nullptr, 10) : 2000;
  for (long run = 0; run < runs; ++run) {
    std::vector<uint8_t> input = corpus[random() % corpus.size()];
    if (random() % 4 == 0 && !input.empty()) input.resize(random() % input.size());
    for (uint64_t edits = 1 + random() % 8; edits > 0 && !input.empty(); --edits) {
      input[random() % input.size()] = static_cast<uint8_t>(random());
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%ld runs over %zu inputs\n", runs, corpus.size());
}
