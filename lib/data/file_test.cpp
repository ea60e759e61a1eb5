// Dataset and model files: what is written is read, equal content gives equal bytes, and no damage goes unnoticed.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "data/dataset.h"
#include "data/file_schema.h"
#include "data/known_recipe.h"
#include "data/model.h"
#include "io/files.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class DataFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (temporary_folder() / "lepton-data-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void put(const std::string& file, std::span<const uint8_t> bytes) const {
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  fs::path folder_;
};

constexpr int64_t kSide = 20;
constexpr int64_t kSampleBytes = kSide * kSide * 3;

std::vector<uint8_t> sample(int64_t index) {
  std::mt19937 random(static_cast<uint32_t>(index));
  std::vector<uint8_t> x(kSampleBytes);
  for (uint8_t& value : x) value = static_cast<uint8_t>(random());
  return x;
}

std::string id_of(int64_t index) { return "class\tä/" + std::to_string(index) + ".png"; }

// `count` train samples, and every tenth a test sample between them.
void write_dataset(const std::string& target, int64_t count) {
  DatasetWriter writer(target, {kSide, kSide, 3}, ElementType::u8);
  for (int64_t i = 0; i < count; ++i) {
    const auto x = sample(i);
    writer.append(i % 10 == 9 ? Split::test : Split::train, x, static_cast<int32_t>(i % 4) - 1, id_of(i), sha256(x));
  }
  DatasetMeta meta;
  meta.classes = {"cat", "dog", "Ödön"};
  meta.mean = {1, 2, 3};
  meta.std = {4, 5, 6};
  meta.recipe = R"({"kind":"image"})";
  meta.provenance = R"({"version":"0"})";
  meta.errors = {{"bad.png", "truncated"}};
  writer.finish(meta);
}

Model small_model() {
  Model model;
  model.net = "dense classes\n";
  model.graph = R"({"input":[2,1,1],"classes":2})";
  model.weights.tensors = {{"dense2/kernel", {2, 2}, {1, 2, 3, 4}}, {"dense10/bias", {2}, {0.5F, -0.0F}}};
  model.classes = {"a", "b"};
  model.mean = {0};
  model.std = {1};
  model.recipe = "{}";
  model.metrics = "{}";
  model.provenance = "{}";
  model.selftest_x = {1, 2};
  model.selftest_logits = {3, 4};
  model.state.tensors = {{"dense2/kernel.momentum", {2, 2}, {9, 8, 7, 6}}};
  model.state_text = {{"step", "12"}, {"log", ""}};
  return model;
}

struct Outcome {
  Exit status = Exit::ok;
  std::string message;
};

template <class Body>
Outcome outcome_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.status(), error.what()};
  }
  return {};
}

// Opens and reads everything there is, as a careful program would.
void use_dataset(const std::string& file) {
  const Dataset data = Dataset::open(file);
  for (const Split which : {Split::train, Split::val, Split::test}) {
    const SplitData* split = data.split(which);
    if (split == nullptr) continue;
    const auto bytes = static_cast<size_t>(split->sample_shape().elements()) * element_size(split->type());
    std::vector<uint8_t> x(bytes * static_cast<size_t>(split->size()));
    split->read(0, split->size(), x);
  }
}

bool refused(const Outcome& outcome) { return outcome.status == Exit::integrity || outcome.status == Exit::mismatch; }

TEST_F(DataFileTest, TargetsAndPartsRoundTrip) {
  {
    DatasetWriter writer(path("r.h5"), {2}, ElementType::f32, 2);
    const std::array<float, 2> x = {1.5F, -2}, y = {7, 8}, none = {NAN, NAN};
    const std::span<const uint8_t> bytes{reinterpret_cast<const uint8_t*>(x.data()), sizeof x};
    writer.append(Split::train, bytes, std::span<const float>(y), "a", sha256(bytes));
    writer.append(Split::train, bytes, std::span<const float>(none), "b", sha256(bytes));
    EXPECT_EQ(outcome_of([&] { writer.append(Split::train, bytes, 1, "c", {}); }).status, Exit::bug);
    DatasetMeta meta;
    meta.task = "table-regression";
    meta.classes = {"price", "rent"};
    meta.target_mean = {7, 8};
    meta.target_std = {1, 2};
    meta.parts = {{"tokenizer", {0, 1, 255, 0}}};
    writer.finish(meta);
  }
  const Dataset data = Dataset::open(path("r.h5"));
  data.verify();
  EXPECT_EQ(data.meta().target_std, (std::vector<float>{1, 2}));
  EXPECT_EQ(data.meta().parts, (RecipeParts{{"tokenizer", {0, 1, 255, 0}}}));
  const SplitData& train = *data.split(Split::train);
  EXPECT_EQ(train.labels(), (std::vector<int32_t>{0, -1}));
  ASSERT_EQ(train.targets().size(), 4U);
  EXPECT_EQ(train.targets()[1], 8);
  EXPECT_TRUE(std::isnan(train.targets()[2]));
}

TEST_F(DataFileTest, DatasetRoundTrip) {
  constexpr int64_t kCount = 1234;
  write_dataset(path("d.h5"), kCount);
  const Dataset data = Dataset::open(path("d.h5"));
  EXPECT_EQ(data.meta().classes, (std::vector<std::string>{"cat", "dog", "Ödön"}));
  EXPECT_EQ(data.meta().mean, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(data.meta().std, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(data.meta().recipe, R"({"kind":"image"})");
  ASSERT_EQ(data.meta().errors.size(), 1U);
  EXPECT_EQ(data.meta().errors[0].message, "truncated");
  EXPECT_EQ(data.sample_shape(), (Shape{kSide, kSide, 3}));
  EXPECT_EQ(data.split(Split::val), nullptr);
  const SplitData& train = *data.split(Split::train);
  const SplitData& test = *data.split(Split::test);
  ASSERT_EQ(train.size() + test.size(), kCount);
  EXPECT_EQ(train.chunk_samples(), 512 * 1024 / kSampleBytes);
  std::vector<uint8_t> x(kSampleBytes);
  int64_t at[2] = {0, 0};
  for (int64_t i = 0; i < kCount; ++i) {
    const bool is_test = i % 10 == 9;
    const SplitData& split = is_test ? test : train;
    const int64_t k = at[is_test]++;
    split.read(k, 1, x);
    ASSERT_EQ(x, sample(i)) << i;
    EXPECT_EQ(split.labels()[static_cast<size_t>(k)], i % 4 - 1);
    EXPECT_EQ(split.id(k), id_of(i));
    EXPECT_EQ(split.digest(k), sha256(x));
  }
  data.verify();
}

TEST_F(DataFileTest, EqualContentGivesEqualBytes) {
  write_dataset(path("a.h5"), 700);
  Model one = small_model(), other = small_model();
  std::swap(other.weights.tensors[0], other.weights.tensors[1]);
  write_model(path("a.model"), one);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // a time of day in the file would differ
  write_dataset(path("b.h5"), 700);
  EXPECT_EQ(read_file(path("a.h5")), read_file(path("b.h5")));
  write_model(path("b.model"), other);
  EXPECT_EQ(read_file(path("a.model")), read_file(path("b.model")));
}

TEST_F(DataFileTest, ModelRoundTrip) {
  Model written = small_model();
  write_model(path("m.h5"), written);
  const Model read = read_model(path("m.h5"));
  EXPECT_EQ(read.content_sha256, written.content_sha256);
  EXPECT_EQ(read.content_sha256.size(), 64U);
  EXPECT_EQ(read.net, written.net);
  EXPECT_EQ(read.graph, written.graph);
  EXPECT_EQ(read.input, (Shape{2, 1, 1}));
  EXPECT_EQ(read.classes, written.classes);
  EXPECT_EQ(read.selftest_logits, written.selftest_logits);
  EXPECT_EQ(read.state_text, written.state_text);
  for (const NamedTensor& tensor : written.weights.tensors) {
    EXPECT_EQ(read.weights.at(tensor.name).values, tensor.values);
    EXPECT_EQ(read.weights.at(tensor.name).shape, tensor.shape);
  }
  EXPECT_EQ(read.state.at("dense2/kernel.momentum").values, written.state.tensors[0].values);
}

// The last part of every name that is written stands in the manual.
TEST_F(DataFileTest, TheManualKnowsEveryName) {
  write_dataset(path("d.h5"), 20);
  Model model = small_model();
  write_model(path("m.h5"), model);
  const auto page = read_file(LEPTON_TESTDATA "/../man/lepton-formats.5.scd");
  const std::string text(page.begin(), page.end());
  for (const char* name : {"d.h5", "m.h5"}) {
    const H5Contents contents = read_hdf5(path(name));
    for (const auto& [where, data] : contents.data) {
      if (where.starts_with("/state/")) continue;  // named by what keeps its state there
      const std::string last = where.substr(where.rfind('/') + 1);
      EXPECT_TRUE(text.find("/" + last + "*") != std::string::npos || text.find("*" + last + "*") != std::string::npos)
          << where;
      EXPECT_TRUE(is_of_dataset(where) || is_of_model(where)) << where;
    }
    for (const auto& [where, attributes] : contents.attributes) {
      for (const auto& [key, value] : attributes) EXPECT_NE(text.find("*" + key + "*"), std::string::npos) << key;
    }
  }
}

TEST_F(DataFileTest, OneIsNotTheOther) {
  write_dataset(path("d.h5"), 20);
  Model model = small_model();
  write_model(path("m.h5"), model);
  EXPECT_EQ(outcome_of([&] { (void)read_model(path("d.h5")); }).status, Exit::mismatch);
  EXPECT_EQ(outcome_of([&] { (void)Dataset::open(path("m.h5")); }).status, Exit::mismatch);
}

TEST_F(DataFileTest, EveryTruncationIsRefused) {
  write_dataset(path("d.h5"), 500);
  Model model = small_model();
  write_model(path("m.h5"), model);
  for (const char* name : {"d.h5", "m.h5"}) {
    const auto whole = read_file(path(name));
    std::set<size_t> lengths = {0, 1, 7, 8, 9, 47, 48, 49, 511, 512, 513, 1024, whole.size() - 1, whole.size() - 4096};
    for (size_t i = 1; i < 12; ++i) lengths.insert(whole.size() * i / 12);
    for (const size_t length : lengths) {
      put(path("cut.h5"), std::span(whole).first(length));
      const Outcome outcome =
          outcome_of([&] { name[0] == 'd' ? use_dataset(path("cut.h5")) : (void)read_model(path("cut.h5")); });
      EXPECT_TRUE(refused(outcome)) << name << " cut to " << length << ": " << outcome.message;
      EXPECT_NE(outcome.message.find("cut.h5"), std::string::npos) << outcome.message;
    }
  }
}

// A flipped byte either lies where nothing is stored, and then nothing read differs, or the file is refused.
TEST_F(DataFileTest, NoFlippedByteGoesUnnoticed) {
  write_dataset(path("d.h5"), 300);
  Model model = small_model();
  model.recipe = R"({"version":1,"kind":"image","steps":[)"
                 R"({"step":"decode","max_pixels":100000000,"orientation":"exif","alpha":"white"},)"
                 R"({"step":"channels","channels":)" +
                 std::to_string(model.mean.size()) + R"(},{"step":"resize","width":4,"height":6,"mode":"crop"}]})";
  write_model(path("m.h5"), model);
  std::mt19937 random(5);
  int noticed = 0;
  for (const char* name : {"d.h5", "m.h5"}) {
    const auto whole = read_file(path(name));
    for (int trial = 0; trial < 50; ++trial) {
      auto bytes = whole;
      // Structure crowds at the start and the end of the file.
      const size_t region = std::min<size_t>(bytes.size(), 8192);
      const size_t at = trial % 3 == 0   ? random() % bytes.size()
                        : trial % 3 == 1 ? random() % region
                                         : bytes.size() - 1 - random() % region;
      bytes[at] ^= static_cast<uint8_t>(1U << random() % 8);
      put(path("flipped.h5"), bytes);
      const Outcome outcome = outcome_of([&] {
        if (name[0] == 'm') {
          const Outcome known = outcome_of([&] { (void)read_known_recipe(path("flipped.h5")); });
          const Outcome read =
              outcome_of([&] { EXPECT_EQ(read_model(path("flipped.h5")).content_sha256, model.content_sha256); });
          EXPECT_EQ(known.status == Exit::ok, read.status == Exit::ok) << known.message << " / " << read.message;
          if (read.status != Exit::ok) throw Error(read.status, read.message);
          return;
        }
        const Dataset good = Dataset::open(path("d.h5")), bad = Dataset::open(path("flipped.h5"));
        for (const Split which : {Split::train, Split::test}) {
          const SplitData &a = *good.split(which), &b = *bad.split(which);
          ASSERT_EQ(a.size(), b.size());
          std::vector<uint8_t> x(static_cast<size_t>(a.size() * kSampleBytes)), y(x.size());
          a.read(0, a.size(), x);
          b.read(0, b.size(), y);
          EXPECT_EQ(x, y) << "byte " << at;
          EXPECT_EQ(a.labels(), b.labels()) << "byte " << at;
          for (int64_t i = 0; i < a.size(); ++i) EXPECT_EQ(a.id(i), b.id(i)) << "byte " << at;
        }
        EXPECT_EQ(good.meta().classes, bad.meta().classes);
        EXPECT_EQ(good.meta().recipe, bad.meta().recipe);
      });
      EXPECT_TRUE(outcome.status == Exit::ok || refused(outcome)) << outcome.message;
      noticed += outcome.status != Exit::ok;
    }
  }
  EXPECT_GT(noticed, 30);
}

TEST_F(DataFileTest, AbandonedWritersLeaveNothing) {
  {
    DatasetWriter writer(path("d.h5"), {kSide, kSide, 3}, ElementType::u8);
    writer.append(Split::train, sample(0), 0, "a", {});
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

// The kernel's limit on file size stands for a disk that fills up, early, in the middle or at the very end.
TEST_F(DataFileTest, AFullDiskIsAnOutputErrorWheneverItComes) {
  write_dataset(path("whole.h5"), 1000);
  const auto size = static_cast<rlim_t>(fs::file_size(path("whole.h5")));
  for (const rlim_t limit : {rlim_t{0}, rlim_t{1000}, size / 2, size - 6000, size - 1}) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit most{limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &most);
      const Outcome outcome = outcome_of([&] { write_dataset(path("d.h5"), 1000); });
      std::exit(static_cast<int>(outcome.status));  // through HDF5's own handlers at exit
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status) << " at " << limit;
    EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Exit::output)) << limit;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << limit;
  }
}

// Published proofs of concept against libhdf5, fuzz finds and foreign files: none is ours, all must be refused soon.
TEST(DataFileTorture, ForeignAndHostileFilesAreRefused) {
  const char* shared = std::getenv("LEPTON_SHARED_DATA");
  if (shared == nullptr)
    GTEST_SKIP() << "LEPTON_SHARED_DATA does not name the data folder: HDF5 torture files not tried";
  int tried = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(shared) / "torture/hdf5")) {
    if (!entry.is_regular_file()) continue;
    const std::string file = entry.path().string();
    for (const bool as_model : {false, true}) {
      const auto begin = std::chrono::steady_clock::now();
      const Outcome outcome = outcome_of([&] { as_model ? (void)read_model(file) : (void)Dataset::open(file).meta(); });
      EXPECT_TRUE(refused(outcome)) << file << ": " << outcome.message;
      EXPECT_NE(outcome.message.find(file), std::string::npos) << outcome.message;
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60)) << file;
      ++tried;
    }
  }
  EXPECT_GT(tried, 100);
}

}  // namespace
}  // namespace lepton
