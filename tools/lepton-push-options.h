#pragma once
// The option table of lepton-push.
#include <string>
#include <vector>

#include "cli/options.h"

namespace lepton {

struct PushCommand {
  std::vector<std::string> operands, to;  // files, then destinations
  std::string files_from, files0_from, output;
  std::vector<std::string> include, exclude;
  bool pull = false, list = false, status = false, verify = false, rollback = false;  // instead of pushing
  std::string release = "latest", time, require = "all", sse, state;
  bool remove_missing = false, dry_run = false, deep = false, json = false;
  int keep = 0, parallel = 4, retries = 4;
  double timeout = 600, grace = 86400;
  std::vector<std::string> recipients, recipient_files, identities;
  std::string sign_key, allowed_signers;
};

void add_push_options(CommandLine& line, PushCommand& command);

}  // namespace lepton
