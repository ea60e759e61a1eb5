#include "push/retry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "base/error.h"

namespace lepton {
namespace {

// Fails as told, then succeeds; counts its calls.
struct Fake : Remote {
  int failures = 0, calls = 0;
  Exit status = Exit::try_later;
  bool put_result = true;
  std::optional<StoredObject> stored;

  void act() {
    ++calls;
    if (failures-- > 0) fail(status, "not now");
  }
  std::optional<StoredObject> get(const std::string&, const std::string&) override { return act(), std::nullopt; }
  void get_many(std::span<const Download>) override { act(); }
  bool put(const Upload&, const Condition&) override { return act(), put_result; }
  void put_many(std::span<const Upload>) override { act(); }
  std::vector<StoredObject> list(const std::string&) override { return act(), std::vector<StoredObject>{}; }
  std::optional<StoredObject> head(const std::string&) override { return stored; }
  void remove(std::span<const std::string>) override { act(); }
};

struct Patient {
  Fake* fake = new Fake;
  bool stop = false;
  std::unique_ptr<Remote> remote;
  explicit Patient(int retries)
      : remote(with_retries(std::unique_ptr<Remote>(fake), retries, [this] { return stop; }, 0.01)) {}
};

TEST(Retry, EveryVerbIsTriedAgain) {
  const std::vector<std::function<void(Remote&)>> verbs = {
      [](Remote& r) { r.get("k", "f"); }, [](Remote& r) { r.get_many({}); }, [](Remote& r) { r.put({}, {}); },
      [](Remote& r) { r.put_many({}); },  [](Remote& r) { r.list(""); },     [](Remote& r) { r.remove({}); },
  };
  for (const auto& verb : verbs) {
    Patient patient(3);
    patient.fake->failures = 2;
    verb(*patient.remote);
    EXPECT_EQ(patient.fake->calls, 3);
  }
}

TEST(Retry, GivesUpInTheEnd) {
  Patient patient(3);
  patient.fake->failures = 100;
  EXPECT_THROW(patient.remote->list(""), Error);
  EXPECT_EQ(patient.fake->calls, 4);
}

TEST(Retry, OnlyWhatMayPassIsTriedAgain) {
  Patient patient(3);
  patient.fake->failures = 1;
  patient.fake->status = Exit::output;
  EXPECT_THROW(patient.remote->put_many({}), Error);
  EXPECT_EQ(patient.fake->calls, 1);
}

TEST(Retry, PausesGrowAndEndWhenStopped) {
  Patient patient(2);
  auto* fake = new Fake;
  fake->failures = 2;
  const auto begun = std::chrono::steady_clock::now();
  with_retries(std::unique_ptr<Remote>(fake), 2, {}, 0.1)->list("");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  EXPECT_GT(took.count(), 0.25);  // 0.1 + 0.2 with their jitter
  EXPECT_LT(took.count(), 2);

  patient.fake->failures = 9;
  patient.stop = true;
  EXPECT_THROW(patient.remote->list(""), Error);
  EXPECT_EQ(patient.fake->calls, 1);
}

}  // namespace
}  // namespace lepton
