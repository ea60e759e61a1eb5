#include "io/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

ProcessResult shell(const std::string& script, const ProcessOptions& options = {}) {
  return run_process({"sh", "-c", script}, options);
}

double seconds_of(const std::function<void()>& body) {
  const auto begun = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

bool alive(const std::string& pid) {
  // A killed process whose parent has gone may stay a zombie where nobody reaps: its state tells.
  const ProcessResult state = shell("cut -d' ' -f3 /proc/" + trim(pid) + "/stat 2>/dev/null");
  return !trim(state.out).empty() && trim(state.out) != "Z";
}

TEST(Process, GivesOutputErrorsAndStatus) {
  const ProcessResult result = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.timed_out);
  EXPECT_FALSE(result.stopped);
}

TEST(Process, ArgumentsAreNotReadByAShell) {
  const std::string odd = "a 'b' \"c\" $HOME * \n -x";
  const ProcessResult result = run_process({"printf", "%s", odd});
  EXPECT_EQ(result.out, odd);
}

TEST(Process, StandardInputIsGivenOrEmpty) {
  EXPECT_EQ(run_process({"cat"}).out, "");
  const std::string large(3'000'000, 'x');
  ProcessOptions options;
  options.input = large;
  EXPECT_EQ(run_process({"cat"}, options).out, large);
  EXPECT_EQ(run_process({"true"}, options).status, 0);  // not reading it is no harm
}

TEST(Process, EnvironmentIsAddedAndReplaced) {
  ProcessOptions options;
  options.environment = {{"LEPTON_ONE", "1"}, {"HOME", "/nowhere"}};
  EXPECT_EQ(shell("echo $LEPTON_ONE $HOME ${PATH:+path}", options).out, "1 /nowhere path\n");
}

TEST(Process, OnlyTheEndOfErrorsIsKept) {
  const ProcessResult result = shell("yes long line | head -c 1000000 >&2; echo last >&2");
  EXPECT_EQ(result.err.size(), size_t{64} << 10);
  EXPECT_TRUE(result.err.ends_with("last\n"));
}

TEST(Process, MissingProgramIsAUsageError) {
  try {
    run_process({"no-such-program-here"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::usage);
    EXPECT_STREQ(error.what(), "no no-such-program-here in PATH");
  }
  EXPECT_THROW(run_process({"/dev/null"}), Error);
}

TEST(Process, SignalsAreAtTheirDefaults) {
  const auto before = std::signal(SIGINT, SIG_IGN);
  const ProcessResult result = shell("kill -INT $$; echo survived");
  std::signal(SIGINT, before);
  EXPECT_EQ(result.status, 128 + SIGINT);
  EXPECT_EQ(result.out, "");
}

TEST(Process, DeadlineEndsTheWholeGroup) {
  ProcessOptions options;
  options.timeout_seconds = 0.3;
  ProcessResult result;
  const double seconds = seconds_of([&] { result = shell("sleep 60 & echo $!; wait", options); });
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status, 128 + SIGTERM);
  EXPECT_LT(seconds, 3);
  EXPECT_FALSE(alive(result.out));
}

TEST(Process, WhatIgnoresTermIsKilled) {
  ProcessOptions options;
  options.timeout_seconds = 0.2;
  ProcessResult result;
  const double seconds = seconds_of([&] { result = shell("trap '' TERM; while :; do sleep 1; done", options); });
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status, 128 + SIGKILL);
  EXPECT_GT(seconds, 4);
  EXPECT_LT(seconds, 9);
}

TEST(Process, WorkersHoldingThePipesAreNotAwaited) {
  ProcessResult result;
  const double seconds = seconds_of([&] { result = shell("sleep 60 & echo $!; exit 3"); });
  EXPECT_EQ(result.status, 3);
  EXPECT_LT(seconds, 4);
  EXPECT_FALSE(alive(result.out));
}

TEST(Process, StopEndsIt) {
  std::atomic<bool> stop{false};
  ProcessOptions options;
  options.stop = [&] { return stop.load(); };
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop = true;
  });
  const ProcessResult result = shell("sleep 60", options);
  later.join();
  EXPECT_TRUE(result.stopped);
  EXPECT_FALSE(result.timed_out);
}

TEST(Process, DiesWithUsEvenIfItWillNot) {
  const std::string file = testing::TempDir() + "process-pids";
  const std::string script = "trap '' TERM; sleep 60 & echo $$ $! >" + file + "; while :; do sleep 1; done";
  std::fflush(nullptr);
  const pid_t other = ::fork();
  if (other == 0) {
    std::thread([] { shell("sleep 60"); }).detach();  // whose guard must not keep ours from learning of the end
    shell(script);
    ::_exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  const std::vector<std::string> pids = words(shell("cat " + file).out);
  ASSERT_EQ(pids.size(), 2U);
  EXPECT_TRUE(alive(pids[0]));
  for (int i = 0; i < 80 && (alive(pids[0]) || alive(pids[1])); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_FALSE(alive(pids[0]));
  EXPECT_FALSE(alive(pids[1]));
  std::remove(file.c_str());
}

TEST(Process, SeveralAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        const std::string text = std::to_string(i * 100 + round);
        right += run_process({"echo", text}).out == text + "\n" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

TEST(Process, NoDescriptorOfOursIsInherited) {
  const int careless = ::dup(1);
  const ProcessResult result = shell("ls /proc/self/fd | wc -l");  // 0, 1, 2 and the folder's own
  ::close(careless);
  EXPECT_EQ(trim(result.out), "4");
}

TEST(ShellQuoted, IsReadBackAsTheSameWords) {
  const std::vector<std::string> argv = {"printf", "%s|", "plain-1.txt", "",    "a b",      "it's", "$HOME",
                                         "*",      "-x",  "a\nb",        "\\n", "\xc3\xa4", "#",    "~"};
  std::string expected;
  for (size_t i = 2; i < argv.size(); ++i) expected += argv[i] + "|";
  EXPECT_EQ(shell(shell_quoted(argv)).out, expected);
  EXPECT_EQ(shell_quoted(std::vector<std::string>{"aws", "s3://b/k", "--x=1"}), "aws s3://b/k --x=1");
  EXPECT_EQ(shell_quoted(std::vector<std::string>{"a=b", "c"}), "'a=b' c");
}

}  // namespace
}  // namespace lepton
