// decode_image FILE [WIDTH HEIGHT fit|crop|stretch]: the decoded image, resized if asked, as binary PGM or PPM on
// standard output; for scripts that compare with other readers. Exit status 3 and a message where it is refused.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/error.h"
#include "io/image.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 5) return static_cast<int>(lepton::Exit::usage);
  try {
    std::ifstream file(argv[1], std::ios::binary);
    if (!file) lepton::fail(lepton::Exit::no_input, "cannot open {}", argv[1]);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    lepton::Image image = lepton::decode_image(bytes, {});
    if (argc == 5) {
      const std::string mode = argv[4];
      const auto how = mode == "fit"    ? lepton::ResizeMode::fit
                       : mode == "crop" ? lepton::ResizeMode::crop
                                        : lepton::ResizeMode::stretch;
      image = lepton::resize_image(image, std::atoll(argv[2]), std::atoll(argv[3]), how);
    }
    std::printf("P%d %lld %lld 255\n", image.channels == 1 ? 5 : 6, static_cast<long long>(image.width),
                static_cast<long long>(image.height));
    std::fwrite(image.pixels.data(), 1, image.pixels.size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : static_cast<int>(lepton::Exit::output);
  } catch (const lepton::Error& error) {
    std::fprintf(stderr, "decode_image: %s\n", error.what());
    return static_cast<int>(error.status());
  }
}
