#pragma once
// Progress on stderr: a bar on a terminal; elsewhere a line a minute for long work; nothing when quiet.
#include <chrono>
#include <cstdint>
#include <string>

namespace lepton {

class Progress {
 public:
  explicit Progress(std::string what);  // "epoch 3/10"
  ~Progress();                          // clears the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // done of total (0 = unknown) units, and what to say beside the bar.
  void update(int64_t done, int64_t total, const std::string& beside = "");

 private:
  std::string what_;
  bool terminal_, shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

bool stderr_is_terminal();
bool stdout_is_terminal();

}  // namespace lepton
