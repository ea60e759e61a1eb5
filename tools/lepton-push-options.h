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

bool is_push(const PushCommand& command);  // not one of the modes that read or roll back

// Takes the destinations out of the operands: what has a scheme is one; where nothing has, the last operand.
std::vector<std::string> sort_operands(PushCommand& command);

// Error(usage) for what does not go together.
void check_push_command(const PushCommand& command, const std::vector<std::string>& destinations);

}  // namespace lepton
