#include <gtest/gtest.h>
#include <unistd.h>
#include <CLI/App.hpp>

#include <filesystem>
#include <fstream>

#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/lock.h"
#include "cli/options.h"

namespace lepton {
namespace {

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("lepton-cli-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    ::unsetenv("LEPTON_THREADS");
    ::unsetenv("LEPTON_DEVICE");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
};

struct Parsed {
  int epochs = 10;
  CommonOptions common;
};

Parsed parse(std::vector<const char*> arguments) {
  Parsed parsed;
  CommandLine line({.name = "lepton-test", .summary = "s", .usage = "u", .example = "e", .essential = {"epochs"}});
  line.app().add_option("--epochs", parsed.epochs, "passes over the data");
  arguments.insert(arguments.begin(), "lepton-test");
  EXPECT_FALSE(line.parse(static_cast<int>(arguments.size()), arguments.data()));
  parsed.common = line.common();
  return parsed;
}

std::string usage_error(std::vector<const char*> arguments) {
  try {
    parse(std::move(arguments));
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::usage);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST_F(Cli, FlagsWinOverConfigurationOverEnvironment) {
  ::setenv("LEPTON_THREADS", "7", 1);
  EXPECT_EQ(parse({}).common.threads, 7);
  const std::string config = file("c", "epochs = 3  # few\nthreads = 2\n\n");
  const Parsed both = parse({"--config", config.c_str(), "--epochs", "5"});
  EXPECT_EQ(both.epochs, 5);
  EXPECT_EQ(both.common.threads, 2);
}

TEST_F(Cli, WrongOptionsAreNamedWithTheNearestRightOne) {
  EXPECT_NE(usage_error({"--epocs", "3"}).find("did you mean '--epochs'?"), std::string::npos);
  EXPECT_NE(usage_error({"stray"}).find("stray"), std::string::npos);
  EXPECT_NE(usage_error({"--epochs", "many"}).find("epochs"), std::string::npos);
  const std::string config = file("c", "a\n");
  EXPECT_NE(usage_error({"--config", config.c_str()}).find(config + ":1"), std::string::npos);
  const std::string unknown = file("d", "\nepoch = 1\n");
  EXPECT_NE(usage_error({"--config", unknown.c_str()}).find(":2: no option 'epoch'; did you mean 'epochs'?"),
            std::string::npos);
  ::setenv("LEPTON_THREADS", "none", 1);
  EXPECT_NE(usage_error({}).find("LEPTON_THREADS"), std::string::npos);
}

TEST_F(Cli, NamesMayHoldSpacesAndNewlines) {
  const std::string lines = file("lines", "a b\n\nc\r\nlast");
  EXPECT_EQ(read_names(lines, '\n'), (std::vector<std::string>{"a b", "c\r", "last"}));
  const std::string zeros = file("zeros", std::string("a\nb\0c\0", 6));
  EXPECT_EQ(read_names(zeros, '\0'), (std::vector<std::string>{"a\nb", "c"}));
  EXPECT_TRUE(read_names(file("empty", ""), '\n').empty());
}

TEST_F(Cli, AHeldLockIsTryLater) {
  const std::string path = (folder_ / "lock").string();
  const Lock held(path, 0);
  try {
    const Lock second(path, 0.1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::try_later);
  }
}

TEST_F(Cli, DepfileIsARule) {
  const std::string path = (folder_ / "d").string();
  write_depfile(path, "out.h5", {"a b.png", "$c"});
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, "out.h5: \\\n  a\\ b.png \\\n  $$c\n");
}

TEST_F(Cli, RunMainMapsErrorsToStatus) {
  EXPECT_EQ(run_main("t", [] { return Exit::gate; }), 9);
  EXPECT_EQ(run_main("t", []() -> Exit { fail(Exit::mismatch, "m"); }), 7);
  EXPECT_EQ(run_main("t", []() -> Exit { throw std::runtime_error("r"); }), 70);
}

}  // namespace
}  // namespace lepton
