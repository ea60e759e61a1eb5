#pragma once
// A folder of one test's own, and short ways to make files, uploads and expectations.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
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

// A remote whose client is a shell script that writes down how it was called.
class ClientTest : public RemoteTest {
 protected:
  void SetUp() override {
    RemoteTest::SetUp();
    std::filesystem::create_directory(path("bin"));
    set("PATH", path("bin") + ":" + std::getenv("PATH"));
    for (const char* name :
         {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT",
          "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_AUTH_MODE"}) {
      set(name, "");
    }
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
    RemoteTest::TearDown();
  }
  void set(const std::string& name, const std::string& value) {
    const char* old = std::getenv(name.c_str());
    before_.emplace(name, old != nullptr ? old : "");
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void client(const std::string& name, const std::string& body) {
    const std::string file = write("bin/" + name, "#!/bin/sh\nprintf '%s ' \"$@\" >>'" + path("calls") + "'; echo >>'" +
                                                      path("calls") + "'\n" + body + "\n");
    ::chmod(file.c_str(), 0755);
  }
  // The lines since the last look: arguments, each with a space behind it.
  std::string calls() {
    const std::string text = read(path("calls"));
    std::filesystem::remove(path("calls"));
    return text;
  }

 private:
  std::map<std::string, std::string> before_;
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
