#pragma once
// A private folder for the length of a run, and small text files.
#include <string>

#include "io/files.h"

namespace lepton {

constexpr const char* kScratchName = "lepton-push";

// PARENT/NAME-XXXXXX ("" = $TMPDIR), readable by us alone, removed with everything in it; those named as above that
// killed runs left are removed too. Error(output); Error(usage) where PARENT has characters that a client would expand.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& parent = "", const std::string& name = kScratchName);
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileDescriptor lock_;  // held while the folder is ours
};

// A parent in memory for folders that hold little, or "" where there is none.
std::string memory_folder();

std::string read_text_file(const std::string& path);                     // Error(no_input)
void write_text_file(const std::string& path, const std::string& text);  // Error(output)

}  // namespace lepton
