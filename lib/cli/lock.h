#pragma once
// One run at a time, for cron.
#include <string>
#include <vector>

#include "io/files.h"

namespace lepton {

// Holds an exclusive lock on a file until destroyed; the file stays. An empty path locks nothing. Error(try_later) when
// another process holds it longer than wait_seconds.
class Lock {
 public:
  Lock(const std::string& path, double wait_seconds);

 private:
  FileDescriptor file_;
};

// Writes "target: input input ..." in make's syntax, whole or not at all. An empty path writes nothing.
void write_depfile(const std::string& path, const std::string& target, const std::vector<std::string>& inputs);

}  // namespace lepton
