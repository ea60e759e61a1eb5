#include "cli/options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "cli/cli.h"
#include "io/files.h"

namespace lepton {
namespace {

const char* const kCommon = "Common";

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  }
  return names;
}

std::string option_line(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += "-" + name + ", ";
  if (names.empty()) names = "    ";
  for (const std::string& name : option.get_lnames()) {
    names += "--" + name;
    break;
  }
  if (option.get_items_expected_max() > 0) names += " " + option.get_type_name();
  const size_t width = 30;
  std::string line = "  " + names;
  line += line.size() + 2 > width ? "\n" + std::string(width, ' ') : std::string(width - line.size(), ' ');
  return line + option.get_description() + "\n";
}

// "-:val", a split of standard input, would pass for an option: until it is parsed it begins with what none does.
constexpr char kMark = ' ';

std::vector<std::string> marked(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::string& a : arguments) {
    if (a.starts_with("-:")) a.insert(a.begin(), kMark);
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  return arguments;
}

std::string unmarked(const std::string& a) {
  return a.size() > 2 && a[0] == kMark && a[1] == '-' && a[2] == ':' ? a.substr(1) : a;
}

}  // namespace

CommandLine::CommandLine(ToolText text)
    : text_(std::move(text)), app_(std::make_unique<CLI::App>(text_.summary, text_.name)) {
  app_->set_help_flag();
  app_->allow_extras(false);
}

CommandLine::~CommandLine() = default;

void CommandLine::add_common() {
  app_->add_option("-h,--help", help_, "this page; --help=all: every option")
      ->expected(0, 1)
      ->type_name("")
      ->group(kCommon);
  app_->add_flag("-V,--version", version_, "the version")->group(kCommon);
  app_->add_flag("-q,--quiet", quiet_, "say nothing but errors")->group(kCommon);
  app_->add_flag("-v,--verbose", verbose_, "explain decisions")->group(kCommon);
  app_->add_option("--seed", common_.seed, "seed of all randomness (0)")->type_name("N")->group(kCommon);
  app_->add_option("-j,--threads", common_.threads, "threads to use (all the process may)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096))
      ->group(kCommon);
  if (text_.device) {
    app_->add_option("--device", common_.device, "auto, cpu, cuda or cuda:N (auto)")->type_name("NAME")->group(kCommon);
    app_->add_option_function<std::string>(
            "--memory-limit",
            [this](const std::string& text) {
              const std::optional<int64_t> bytes = parse_bytes(text);
              if (!bytes || *bytes < 1) fail(Exit::usage, "--memory-limit {}: expected bytes, as 512M or 4G", text);
              common_.memory_limit = *bytes;
            },
            "most memory of a GPU to use, as 512M or 4G (all)")
        ->type_name("BYTES")
        ->group(kCommon);
  }
  if (text_.lock) {
    app_->add_option("--lock", common_.lock, "run only if no other run holds FILE (else exit 75)")
        ->type_name("FILE")
        ->group(kCommon);
    app_->add_option("--lock-wait", common_.lock_wait, "wait so long for the lock (0)")
        ->type_name("SECONDS")
        ->check(CLI::NonNegativeNumber)
        ->group(kCommon);
  }
  if (text_.depfile) {
    app_->add_option("--depfile", common_.depfile, "write the inputs read as a Makefile rule")
        ->type_name("FILE")
        ->group(kCommon);
  }
  app_->add_option("--config", config_, "read options from FILE, a line each: name = value")
      ->type_name("FILE")
      ->group(kCommon);
  app_->add_flag("--print-config", print_config_, "print all options as such a file")->group(kCommon);
}

void add_precision_option(CommandLine& line, std::string& precision, const std::string& group) {
  line.app()
      .add_option("--precision", precision, "fp32, bf16, int8; with a GPU also tf32 or fp16 (fp32)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"fp32", "tf32", "bf16", "fp16", "int8"}))
      ->group(group);
}

bool CommandLine::given(const std::string& long_name) const {
  const CLI::Option* option = app_->get_option_no_throw("--" + long_name);
  return option != nullptr && option->count() > 0;
}

std::string CommandLine::short_help() const {
  std::string out = "Usage: " + text_.name + " " + text_.usage + "\n" + text_.summary + "\n\n";
  for (const std::string& name : text_.essential) {
    if (const CLI::Option* option = app_->get_option_no_throw("--" + name)) out += option_line(*option);
  }
  out += "      --help=all              every option; more in " + text_.name + "(1)\n";
  return out + "\nExample: " + text_.example + "\n";
}

std::string CommandLine::full_help() const {
  std::string out = "Usage: " + text_.name + " " + text_.usage + "\n" + text_.summary + "\n";
  std::vector<std::string> groups;
  for (const CLI::Option* option : app_->get_options()) {
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end()) {
      groups.push_back(option->get_group());
    }
  }
  for (const std::string& group : groups) {
    out += "\n" + group + ":\n";
    for (const CLI::Option* option : app_->get_options()) {
      if (option->get_group() != group) continue;
      out += option->get_positional() ? "  " + option->get_name() + "  " + option->get_description() + "\n"
                                      : option_line(*option);
    }
  }
  return out + "\nExample: " + text_.example + "\n";
}

std::string CommandLine::config_text() const {
  std::string out;
  for (const CLI::Option* option : app_->get_options()) {
    if (option->get_lnames().empty() || option->get_positional()) continue;
    const std::string& name = option->get_lnames().front();
    if (name == "help" || name == "version" || name == "config" || name == "print-config") continue;
    const std::vector<std::string>& values = option->results();
    if (values.empty()) out += "# " + name + " =\n";
    for (const std::string& value : values) out.append(name).append(" = ").append(value).append("\n");
  }
  return out;
}

// Fills what the command line left open. A line is `name = value`; # begins a comment; a flag's value is true or false.
void CommandLine::read_config(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  const std::string content(bytes.begin(), bytes.end());
  std::vector<CLI::Option*> from_flags;
  for (CLI::Option* option : app_->get_options()) {
    if (option->count() > 0) from_flags.push_back(option);
  }
  int number = 0;
  for (const std::string& raw : split(content, '\n')) {
    ++number;
    const std::string line = trim(raw.substr(0, raw.find('#')));
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos) fail(Exit::usage, "{}:{}: expected name = value, got '{}'", path, number, line);
    const std::string name = trim(line.substr(0, equals)), value = trim(line.substr(equals + 1));
    CLI::Option* option = app_->get_option_no_throw("--" + name);
    if (option == nullptr) {
      const std::string near = nearest(name, long_names(*app_));
      fail(Exit::usage, "{}:{}: no option '{}'{}", path, number, name,
           near.empty() ? "" : "; did you mean '" + near + "'?");
    }
    if (std::find(from_flags.begin(), from_flags.end(), option) != from_flags.end()) continue;
    option->add_result(value);
    option->run_callback();
  }
}

std::optional<Exit> CommandLine::parse(int argc, const char* const* argv) {
  add_common();
  // The environment stands below --config and flags, so it only sets the defaults.
  if (const char* device = std::getenv("LEPTON_DEVICE"); device && *device) common_.device = device;
  if (const char* threads = std::getenv("LEPTON_THREADS"); threads && *threads) {
    const auto count = parse_int(threads);
    if (!count || *count < 1 || *count > 4096)
      fail(Exit::usage, "LEPTON_THREADS={}: expected a number from 1 to 4096", threads);
    common_.threads = static_cast<int>(*count);
  }
  for (CLI::Option* option : app_->get_options()) {
    if (option->get_items_expected_max() > 0) option->transform(unmarked);
  }
  try {
    app_->parse(marked(argc, argv));
    if (app_->get_option("--help")->count() > 0) {
      print(help_ == "all" ? full_help() : short_help());
      return Exit::ok;
    }
    if (version_) {
      print(text_.name + " " LEPTON_VERSION "\n");
      return Exit::ok;
    }
    if (!config_.empty()) {
      try {
        read_config(config_);
      } catch (const Error& error) {  // a missing file too is a fault of the command line here
        fail(Exit::usage, "--config: {}", error.what());
      }
    }
  } catch (const CLI::ExtrasError&) {
    for (const std::string& argument : app_->remaining(true)) {
      const std::string extra = unmarked(argument);
      if (extra.size() < 2 || extra[0] != '-') fail(Exit::usage, "unexpected operand '{}'; see --help", extra);
      const std::string name = extra.substr(0, extra.find('='));
      const std::string near = nearest(name.substr(name.find_first_not_of('-')), long_names(*app_));
      fail(Exit::usage, "no option '{}'{}; see --help", name, near.empty() ? "" : ", did you mean '--" + near + "'?");
    }
    fail(Exit::usage, "unexpected operands; see --help");
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    fail(Exit::usage, "{}; see --help", trim(message));
  }
  set_verbosity(quiet_ ? Verbosity::quiet : verbose_ ? Verbosity::verbose : Verbosity::normal);
  if (print_config_) {
    print(config_text());
    return Exit::ok;
  }
  return std::nullopt;
}

}  // namespace lepton
