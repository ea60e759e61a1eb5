#pragma once
// A private folder for the length of a run, and small text files.
#include <string>

namespace lepton {

// $TMPDIR/lepton-push-XXXXXX, readable by us alone, removed with everything in it. Error(output); Error(usage) where
// $TMPDIR has characters that a client would expand.
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string read_text_file(const std::string& path);                     // Error(no_input)
void write_text_file(const std::string& path, const std::string& text);  // Error(output)

}  // namespace lepton
