#pragma once
// The files below a folder, or of a list: names held compactly, contents read from any thread.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.h"

namespace lepton {

// A name that could not be followed, and why.
struct WalkProblem {
  std::string path, message;
};

// Regular files in the order of their names, byte by byte, folder by folder. Links are followed; hidden names (".x"),
// "Thumbs.db", "desktop.ini" and "__MACOSX" are left out and counted. About 10 bytes a file and its name are held.
class FileTree {
 public:
  // Everything below `root`; Error(no_input) if that is no folder that can be read.
  static FileTree walk(const std::string& root);
  // The paths of a list, relative to the working folder, sorted; existence shows when they are read.
  static FileTree list(const std::vector<std::string>& paths);

  int64_t size() const { return static_cast<int64_t>(files_.size()); }
  std::string path(int64_t index) const;  // relative to the root; as listed for a list
  int32_t folder(int64_t index) const { return files_[static_cast<size_t>(index)].folder; }
  const std::vector<std::string>& folders() const { return folders_; }  // "train/cat"; "" is the root itself
  const std::vector<WalkProblem>& problems() const { return problems_; }
  int64_t hidden() const { return hidden_; }

  // The whole file into `bytes`, whose memory is used again; Error(bad_inputs) if it cannot be read, is no regular file
  // or holds more than max_bytes. Thread-safe.
  void read(int64_t index, std::vector<uint8_t>& bytes, int64_t max_bytes) const;

 private:
  struct File {
    int32_t folder;
    uint64_t name;  // offset of the NUL-terminated name in names_
  };
  void walk_folder(int parent, const std::string& name, const std::string& relative,
                   std::vector<std::pair<uint64_t, uint64_t>>& ancestors);
  void add(int32_t folder, std::string_view name);

  FileDescriptor root_;  // empty for a list: paths are relative to the working folder
  std::vector<std::string> folders_;
  std::vector<File> files_;
  std::string names_;
  std::vector<WalkProblem> problems_;
  int64_t hidden_ = 0;
};

}  // namespace lepton
