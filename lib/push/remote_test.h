#pragma once
// A folder of one test's own, and short ways to make files, uploads and expectations.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/error.h"
#include "io/files.h"
#include "push/hashes.h"
#include "push/remote.h"

namespace lepton {

class RemoteTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (temporary_folder() / "lepton-remote-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.staging = (folder_ / "staging").string();
    std::filesystem::create_directory(options_.staging);
    options_.timeout_seconds = 20;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  Upload upload(const std::string& key, const std::string& text) {
    const std::string file = write("upload" + std::to_string(++uploads_), text);
    const FileHashes hashes = hash_file(file);
    return {key, file, hashes.size, hashes.sha256, hashes.md5, "text/plain"};
  }

  std::filesystem::path folder_;
  RemoteOptions options_;
  int uploads_ = 0;
};

// The message of the Error that body throws, which must lead to `status`.
template <class Body>
std::string error_of(Exit status, Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace lepton
