#pragma once
// What lepton-prep can be asked of tables, and how it makes a dataset of them.
#include <string>
#include <vector>

#include "data/prep.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lepton {

struct TableCommand {
  std::string id, task, header = "auto";
  std::vector<std::string> missing, columns;  // --na, --column
  int64_t max_levels = 256;
};

void add_table_options(CLI::App& app, TableCommand& command);

// Whether all inputs are files that look like tables: a header line and several columns.
bool look_like_tables(const std::vector<InputSpec>& inputs);

// `label` is the column of the label, "" = the usual names, else the last. files: every input read, for --depfile.
PrepResult prepare_table(const TableCommand& command, const std::string& label, const std::vector<InputSpec>& inputs,
                         const std::string& target, const PrepOptions& options, const PrepHooks& hooks,
                         std::vector<std::string>& files);

}  // namespace lepton
