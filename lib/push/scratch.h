#pragma once
// A private folder for the length of a run, and small text files.
#include <string>

#include "io/files.h"

namespace lepton {

// PARENT/lepton-push-XXXXXX ("" = $TMPDIR), readable by us alone, removed with everything in it, and so are those that
// killed runs left. Error(output); Error(usage) where $TMPDIR has characters that a client would expand.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& parent = "");
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
