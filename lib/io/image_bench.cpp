// decode_image beside a bare libjpeg loop on the same small file: what the checks and the interface cost.
#include <benchmark/benchmark.h>

#include <cstdio>
// jpeglib.h wants stdio first.
#include <jpeglib.h>

#include <fstream>
#include <iterator>

#include "io/image.h"

namespace {

std::vector<uint8_t> small_jpeg() {
  std::ifstream file(LEPTON_TESTDATA "/images/subsampled.jpg", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void DecodeImage(benchmark::State& state) {
  const std::vector<uint8_t> bytes = small_jpeg();
  for (auto _ : state) benchmark::DoNotOptimize(lepton::decode_image(bytes, {}));
}
BENCHMARK(DecodeImage);

void BareLibjpeg(benchmark::State& state) {
  const std::vector<uint8_t> bytes = small_jpeg();
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  std::vector<uint8_t> pixels;
  for (auto _ : state) {
    jpeg_mem_src(&info, bytes.data(), bytes.size());
    jpeg_read_header(&info, TRUE);
    jpeg_start_decompress(&info);
    pixels.resize(size_t{3} * info.output_width * info.output_height);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels.data() + size_t{3} * info.output_width * info.output_scanline;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    benchmark::DoNotOptimize(pixels.data());
  }
  jpeg_destroy_decompress(&info);
}
BENCHMARK(BareLibjpeg);

}  // namespace
