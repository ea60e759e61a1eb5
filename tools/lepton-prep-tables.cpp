#include "lepton-prep-tables.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/table_fit.h"
#include "data/table_source.h"
#include "io/audio.h"
#include "io/gzip.h"
#include "io/image.h"

namespace lepton {
namespace {

constexpr size_t kHead = size_t{1} << 20;

// What usually stands where there is no value; --na adds to it.
const std::vector<std::string>& usual_missing() {
  static const std::vector<std::string> kTexts = {"?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null"};
  return kTexts;
}

// NAME=TYPE; a name may hold '='.
std::pair<std::string, ColumnType> parse_column(const std::string& text) {
  const size_t at = text.rfind('=');
  const std::string name = text.substr(0, at), type = at == std::string::npos ? "" : text.substr(at + 1);
  if (const auto known = parse_column_type(type); known && !name.empty()) return {name, *known};
  const std::string near = nearest(type, {"number", "category", "date", "ignored"});
  fail(Exit::usage, "--column {}: expected NAME=number, category, date or ignored{}", text,
       near.empty() || at == std::string::npos ? "" : "; did you mean '" + near + "'?");
}

// Standard input is copied aside, so that it can be looked at and then read under its name.
void spool_stdin() {
  const FileDescriptor spool = open_input("-");
  if (::dup2(spool.get(), STDIN_FILENO) < 0) fail(Exit::failed, "standard input: {}", std::strerror(errno));
}

bool looks_like_table_file(const std::string& path) {
  std::error_code ignored;
  if (path == "-") spool_stdin();
  if (path != "-" && !std::filesystem::is_regular_file(path, ignored)) return false;
  const FileDescriptor file = open_input(path);
  const std::vector<uint8_t> head = peek(file, kHead, path);
  return looks_like_table({reinterpret_cast<const char*>(head.data()), head.size()}, head.size() < kHead);
}

// Error(mismatch) for what cannot be a table.
void require_table(const KnownRecipe& known, const std::string& path) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored)) refuse_kind(known, path, "files, being a folder");
  if (path == "-" || !std::filesystem::is_regular_file(path, ignored)) return;
  const FileDescriptor file = open_input(path);
  const std::vector<uint8_t> head = peek(file, kHead, path);
  if (image_format(head) != ImageFormat::unknown) refuse_kind(known, path, "an image");
  if (looks_like_audio(head)) refuse_kind(known, path, "a recording");
}

TableSourceOptions source_options(const TableCommand& command, const std::string& label, const std::string& split_key) {
  TableSourceOptions options;
  options.label = label;
  options.id = command.id;
  options.split_key = split_key;
  options.missing = usual_missing();
  options.missing.insert(options.missing.end(), command.missing.begin(), command.missing.end());
  if (!command.task.empty()) options.regression = command.task == "regression";
  options.header = command.header == "auto"  ? HeaderRow::find
                   : command.header == "yes" ? HeaderRow::yes
                                             : HeaderRow::no;
  return options;
}

}  // namespace

void add_table_options(CLI::App& app, TableCommand& c) {
  const char* kTables = "Tables";
  app.add_option("--task", c.task, "classification or regression (by the labels)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"classification", "regression"}))
      ->group(kTables);
  app.add_option("--id", c.id, "column that names the rows (FILE:LINE)")->type_name("COLUMN")->group(kTables);
  app.add_option("--column", c.columns, "type of a column: number, category, date or ignored (by its values)")
      ->type_name("NAME=TYPE")
      ->expected(1)
      ->take_all()
      ->group(kTables);
  app.add_option("--na", c.missing, "a text that means no value, besides none, ?, NA, N/A, NaN and NULL")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->group(kTables);
  app.add_option("--max-levels", c.max_levels, "most levels of a category; rarer ones count as one (256)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->group(kTables);
  app.add_option("--header-line", c.header, "whether files begin with names of columns: yes, no or auto (auto)")
      ->type_name("WHETHER")
      ->check(CLI::IsMember({"yes", "no", "auto"}))
      ->group(kTables);
}

bool look_like_tables(const std::vector<InputSpec>& inputs) {
  return !inputs.empty() && std::all_of(inputs.begin(), inputs.end(),
                                        [](const InputSpec& input) { return looks_like_table_file(input.path); });
}

PrepResult prepare_table(const TableCommand& command, const std::string& label, const std::vector<InputSpec>& inputs,
                         const std::string& target, const PrepOptions& options, const PrepHooks& hooks,
                         std::vector<std::string>& files) {
  TableSourceOptions source = source_options(command, label, options.split_key);
  TableFitOptions fit;
  fit.missing = source.missing;
  fit.max_levels = command.max_levels;
  for (const std::string& text : command.columns) {
    const auto& [name, type] = *fit.types.insert(parse_column(text)).first;
    if (type == ColumnType::ignored) source.left_out.push_back(name);
  }
  for (const InputSpec& input : inputs) {
    if (input.path != "-") files.push_back(input.path);
  }
  if (options.known != nullptr) {
    const KnownRecipe& known = *options.known;
    source.recipe = dynamic_cast<const TableRecipe*>(known.recipe.get());
    source.missing = source.recipe->missing;
    source.regression = known.regression();
    if (known.regression()) source.target = known.classes[0];
    for (const InputSpec& input : inputs) require_table(known, input.path);
  }
  TableSource rows(inputs, source, hooks);
  if (rows.regression() && !options.class_names.empty())
    fail(Exit::usage, "--class-names: '{}' is a number to be predicted, not a class", rows.label());
  std::unique_ptr<RecipeFit> recipe;
  if (options.known != nullptr) {
    recipe = known_fit(*options.known);
  } else {
    recipe = std::make_unique<TableFit>(rows.columns(), fit, hooks.note);
  }
  RowsSpec spec;
  spec.inputs = "rows";
  spec.task = rows.regression() ? "table-regression" : "table-classification";
  if (rows.regression()) spec.target_names = {rows.label()};
  spec.options.emplace_back("label", rows.label());
  if (!command.id.empty()) spec.options.emplace_back("id", command.id);
  for (const std::string& text : command.columns) spec.options.emplace_back("column", text);
  for (const std::string& text : command.missing) spec.options.emplace_back("na", text);
  if (options.known == nullptr) spec.options.emplace_back("max-levels", std::to_string(command.max_levels));
  if (options.known != nullptr && rows.regression() && spec.target_names != options.known->classes) {
    fail(Exit::mismatch, "{} predicts '{}', and the column of labels is '{}'", options.known->file,
         options.known->classes[0], rows.label());
  }
  return prepare_rows(rows, *recipe, spec, target, options, hooks);
}

}  // namespace lepton
