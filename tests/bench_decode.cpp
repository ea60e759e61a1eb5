// bench_decode DIR THREADS: the bare loop that scripts/bench holds lepton-prep against. Opens, reads and decodes every
// JPEG below DIR with libjpeg-turbo, one decompressor a thread, pixels thrown away; prints seconds of wall and of CPU.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
// jpeglib.h wants stdio first.
#include <jpeglib.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

class Loop {
 public:
  Loop() {
    info_.err = jpeg_std_error(&errors_);
    jpeg_create_decompress(&info_);
  }
  ~Loop() { jpeg_destroy_decompress(&info_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void decode(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : ::read(file, bytes_.data(), bytes_.size());
    ::close(file);
    if (got <= 0) std::exit((fmt::print(stderr, "bench_decode: cannot read {}\n", path), 1));
    jpeg_mem_src(&info_, bytes_.data(), static_cast<unsigned long>(got));
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info_);
    const size_t row_bytes = size_t{3} * info_.output_width;
    pixels_.resize(row_bytes * info_.output_height);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels_.data() + row_bytes * info_.output_scanline;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
  }

 private:
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::vector<unsigned char> bytes_ = std::vector<unsigned char>(1 << 24), pixels_;
};

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); }

}  // namespace

int main(int count, char** arguments) {
  const int threads = count == 3 ? std::atoi(arguments[2]) : 0;
  if (threads < 1) return fmt::print(stderr, "usage: bench_decode DIR THREADS\n"), 2;
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[1])) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  constexpr size_t kBlock = 64;
  std::atomic<size_t> next = 0;
  std::vector<std::jthread> pool(static_cast<size_t>(threads));
  for (std::jthread& thread : pool) {
    thread = std::jthread([&] {
      Loop loop;
      for (size_t first; (first = next.fetch_add(kBlock)) < paths.size();) {
        for (size_t i = first; i < std::min(first + kBlock, paths.size()); ++i) loop.decode(paths[i]);
      }
    });
  }
  pool.clear();
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun;
  fmt::print("{:.4f} {:.4f} {} files\n", wall.count(), seconds(used.ru_utime) + seconds(used.ru_stime), paths.size());
}
