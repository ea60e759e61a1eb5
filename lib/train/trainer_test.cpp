#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/files.h"
#include "train/checkpoint.h"
#include "train/keeping_engine.h"
#include "train/train_test_data.h"

namespace lepton {
namespace {

constexpr const char* kNet = "conv 8 3x3 bn relu\nmaxpool 2\ndropout 0.1\ndense classes\n";

class Training : public testing::Test {
 protected:
  Training() {
    setup_.options.net = kNet;
    setup_.options.epochs = 4;
    setup_.options.batch = 16;
    setup_.options.lr = 0.05;
    setup_.options.augment.shift = 1;
    setup_.threads = 1;
    setup_.checkpoint = folder_ / "model.h5.ckpt";
    setup_.checkpoint_seconds = 1e9;
  }

  std::vector<uint8_t> bytes(Model& model) {
    write_model(folder_ / "model.h5", model);
    return read_file(folder_ / "model.h5");
  }
  std::optional<Model> run(const TrainHooks& hooks = {}) { return train(data_, setup_, hooks); }
  // A run stopped after its n-th step.
  bool stopped_after(int64_t steps) {
    TrainHooks hooks;
    int64_t done = 0;
    hooks.on_step = [&](auto, auto, auto, auto) { ++done; };
    hooks.stop = [&] { return done >= steps; };
    return !run(hooks);
  }
  Exit status(const TrainHooks& hooks = {}) {
    try {
      run(hooks);
    } catch (const Error& error) {
      message_ = error.what();
      return error.status();
    }
    return Exit::ok;
  }

  TemporaryFolder folder_;
  Dataset data_ = quarters(folder_ / "data.h5", 250);
  TrainSetup setup_;
  std::string message_;
};

TEST_F(Training, LearnsWhatCanBeLearnt) {
  std::vector<EpochRecord> epochs;
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochRecord& record) { epochs.push_back(record); };
  const std::optional<Model> model = run(hooks);
  ASSERT_TRUE(model);
  ASSERT_EQ(epochs.size(), 4U);
  EXPECT_GT(epochs.back().val_accuracy.value_or(0), 0.95);
  EXPECT_LT(epochs.back().train_loss, epochs.front().train_loss);
  const nlohmann::json metrics = nlohmann::json::parse(model->metrics);
  const nlohmann::json& accuracy = metrics["val"]["accuracy"];
  EXPECT_LE(accuracy["low"], accuracy["value"]);
  EXPECT_GE(accuracy["high"], accuracy["value"]);
  EXPECT_EQ(model->classes, data_.meta().classes);
  EXPECT_EQ(model->net, kNet);
  EXPECT_EQ(model->mean, data_.meta().mean);
  EXPECT_EQ(nlohmann::json::parse(model->provenance)["dataset"], data_.content_sha256());
  EXPECT_FALSE(model->selftest_logits.empty());
  EXPECT_TRUE(model->state.tensors.empty());
}

TEST_F(Training, EveryOptimizerAndExtraLearns) {
  struct Row {
    const char* optimizer;
    void (*change)(TrainOptions&);
  };
  const Row rows[] = {{"sgd", [](TrainOptions&) {}},
                      {"adamw", [](TrainOptions&) {}},
                      {"muon", [](TrainOptions&) {}},
                      {"sgd", [](TrainOptions& o) { o.optimizer.ema = 0.9F; }},
                      {"sgd", [](TrainOptions& o) { o.optimizer.clip = 1; }},
                      {"adamw", [](TrainOptions& o) { o.class_weight = "auto"; }},
                      {"adamw", [](TrainOptions& o) { o.label_smoothing = 0.1; }}};
  for (const Row& row : rows) {
    setup_.options.epochs = 6;
    apply_option(setup_.options, "optimizer", row.optimizer);
    apply_options(setup_.options, optimizer_defaults(row.optimizer));
    row.change(setup_.options);
    double accuracy = 0;
    TrainHooks hooks;
    hooks.on_epoch = [&](const EpochRecord& record) { accuracy = record.val_accuracy.value_or(0); };
    ASSERT_TRUE(run(hooks));
    EXPECT_GT(accuracy, 0.9) << row.optimizer;
  }
}

TEST_F(Training, SameSeedSameBytesAnotherSeedOthers) {
  setup_.threads = 2;
  std::optional<Model> one = run(), two = run();
  EXPECT_EQ(bytes(*one), bytes(*two));
  setup_.options.seed = 1;
  std::optional<Model> other = run();
  EXPECT_NE(bytes(*one), bytes(*other));
}

TEST_F(Training, EnginesThatKeepSamplesEndWithTheSameBytes) {
  setup_.options.flip_auto = true;
  std::optional<Model> plain = run();
  for (const bool keeps : {false, true}) {
    setup_.compile = [keeps](const Graph& graph, std::string_view, const EngineOptions& options) {
      return std::make_unique<KeepingEngine>(graph, options, keeps);
    };
    setup_.resume = false;
    KeepingEngine::announcements = 0;
    std::optional<Model> kept = run();
    EXPECT_EQ(bytes(*kept), bytes(*plain));
    EXPECT_GT(KeepingEngine::announcements, 0);
    ASSERT_TRUE(stopped_after(3));
    setup_.resume = true;
    std::optional<Model> resumed = run();
    EXPECT_EQ(bytes(*resumed), bytes(*plain));
    std::filesystem::remove(setup_.checkpoint);
  }
}

TEST_F(Training, BothEnginesShareTheMemoryLimit) {
  setup_.memory_limit = int64_t{64} << 20;
  int64_t given = 0, held = 0;
  std::vector<bool> training;
  setup_.compile = [&](const Graph& graph, std::string_view, const EngineOptions& options) {
    auto engine = lepton::compile(graph, "cpu", options);
    training.push_back(options.training);
    if (!options.training) {
      EXPECT_EQ(options.memory_limit, setup_.memory_limit / 4);
    }
    given += options.training ? options.memory_limit : 0;
    held += options.training ? 0 : engine->memory_bytes();
    return engine;
  };
  EXPECT_TRUE(run());
  EXPECT_EQ(training, (std::vector<bool>{false, true}));
  EXPECT_EQ(given + held, setup_.memory_limit);
}

TEST_F(Training, AResumedRunEndsWithTheSameBytes) {
  for (const char* optimizer : {"sgd", "adamw", "muon"}) {
    for (const char* val : {"auto", "none"}) {
      apply_option(setup_.options, "optimizer", optimizer);
      apply_options(setup_.options, optimizer_defaults(optimizer));
      setup_.options.val = val;
      setup_.options.optimizer.ema = 0.9F;
      setup_.options.flip_auto = true;
      setup_.resume = false;
      std::optional<Model> whole = run();
      const std::vector<uint8_t> expected = bytes(*whole);
      // In the first epoch, at an epoch's last step, and after two interruptions.
      ASSERT_TRUE(stopped_after(3));
      setup_.resume = true;
      ASSERT_TRUE(stopped_after(10));
      ASSERT_TRUE(stopped_after(1));
      std::optional<Model> resumed = run();
      ASSERT_TRUE(resumed);
      EXPECT_EQ(bytes(*resumed), expected) << optimizer << ", validation " << val;
      std::filesystem::remove(setup_.checkpoint);
    }
  }
}

TEST_F(Training, NothingLearnedIsAFailure) {
  for (const char* val : {"auto", "none"}) {
    setup_.options.net = "dense classes\nscale 0\n";
    setup_.options.val = val;
    setup_.checkpoint_seconds = 0;
    setup_.options.epochs = 4;
    EXPECT_EQ(status(), Exit::failed) << val;
    EXPECT_NE(message_.find("nothing was learned"), std::string::npos) << message_;
    EXPECT_FALSE(std::filesystem::exists(setup_.checkpoint));
    setup_.options.epochs = 1;  // proves nothing
    EXPECT_EQ(status(), Exit::ok);
  }
}

// 19 of 20 are of one class: nearly every model names it every time, and may be right to.
TEST_F(Training, UnbalancedDataIsNoFailure) {
  DatasetWriter writer(folder_ / "rare.h5", {8, 8, 1}, ElementType::u8);
  for (int i = 0; i < 800; ++i) {
    const std::vector<uint8_t> x = quarter_image(static_cast<uint64_t>(i), i % 20 == 0 ? 3 : 2);
    writer.append(Split::train, x, i % 20 == 0, std::to_string(i), sha256(x));
  }
  DatasetMeta meta;
  meta.classes = {"often", "rarely"};
  meta.mean = {60};
  meta.std = {55};
  writer.finish(meta);
  data_ = Dataset::open(folder_ / "rare.h5");
  setup_.options.net = "dense classes\n";
  setup_.options.epochs = 2;
  setup_.options.lr = 0.0003;  // so low that the frequent class is all it answers
  setup_.options.label_smoothing = 0.2;
  const std::optional<Model> model = run();
  ASSERT_TRUE(model);
  const nlohmann::json metrics = nlohmann::json::parse(model->metrics);
  EXPECT_NEAR(metrics["val"]["accuracy"]["value"].get<double>(), 0.95, 0.01);
}

TEST_F(Training, AStopInTheLastEpochLeavesACheckpointThatOnlyFinishes) {
  std::optional<Model> whole = run();
  const std::vector<uint8_t> expected = bytes(*whole);
  ASSERT_TRUE(stopped_after(4 * 13));  // the very last step
  setup_.resume = true;
  std::string log;
  TrainHooks hooks;
  hooks.on_start = [&](const std::string& lines) { log = lines; };
  std::optional<Model> resumed = run(hooks);
  EXPECT_EQ(bytes(*resumed), expected);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 3);
}

TEST_F(Training, ResumingNeedsTheSameOptionsAndData) {
  ASSERT_TRUE(stopped_after(3));
  setup_.resume = true;
  setup_.options.lr = 0.01;
  EXPECT_EQ(status(), Exit::mismatch);
  setup_.options.lr = 0.05;
  data_ = quarters(folder_ / "other.h5", 260);
  EXPECT_EQ(status(), Exit::mismatch);
}

TEST_F(Training, ResumeWithoutACheckpointStartsAfresh) {
  std::optional<Model> plain = run();
  setup_.resume = true;
  std::optional<Model> resumed = run();
  EXPECT_EQ(bytes(*plain), bytes(*resumed));
}

TEST_F(Training, ALossThatIsNotFiniteNamesTheStepAndKeepsTheBestModel) {
  setup_.options.lr = 1e6;
  setup_.options.schedule = {ScheduleKind::constant, 0};
  setup_.options.net = "dense 16; dense 16; dense 16; dense classes";
  EXPECT_EQ(status(), Exit::failed);
  EXPECT_NE(message_.find("epoch 1, step "), std::string::npos) << message_;
  EXPECT_FALSE(std::filesystem::exists(setup_.checkpoint)) << "there was nothing good yet";

  // Fine at first, then the warm-up reaches rates that this net does not survive.
  setup_.options.epochs = 40;
  setup_.options.schedule = {ScheduleKind::constant, 1};
  setup_.options.lr = 3;
  EXPECT_EQ(status(), Exit::failed);
  EXPECT_EQ(message_.find("epoch 1,"), std::string::npos) << message_;
  EXPECT_NE(message_.find(setup_.checkpoint), std::string::npos) << message_;
  const Model kept = read_model(setup_.checkpoint);
  for (const NamedTensor& tensor : kept.weights.tensors) {
    for (const float value : tensor.values) ASSERT_TRUE(std::isfinite(value)) << tensor.name;
  }
  setup_.resume = true;
  EXPECT_EQ(status(), Exit::mismatch) << "a kept model is no checkpoint";
}

TEST_F(Training, TargetPatienceAndTimeEndARun) {
  int64_t epochs = 0;
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochRecord&) { ++epochs; };
  setup_.options.epochs = 50;
  setup_.options.target = "accuracy=0.9";
  ASSERT_TRUE(run(hooks));
  EXPECT_LT(epochs, 50);
  epochs = 0;
  setup_.options.target.clear();
  setup_.options.lr = 0;  // nothing gets better
  setup_.options.patience = 2;
  setup_.options.net = "dense classes";
  ASSERT_TRUE(run(hooks));
  EXPECT_EQ(epochs, 3);
  setup_.options.patience = 0;
  setup_.options.time_seconds = 0.05;
  ASSERT_TRUE(run(hooks));
}

TEST_F(Training, MirroringJoinsOnlyWhereItDoesNoHarm) {
  // The bright quarter says left or right: mirrored images belong to another class.
  setup_.options.flip_auto = true;
  std::string notes;
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochRecord& record) { notes += record.note; };
  std::optional<Model> model = run(hooks);
  EXPECT_NE(notes.find("no mirroring"), std::string::npos) << notes;
  EXPECT_EQ(nlohmann::json::parse(model->provenance)["mirrored"], false);

  // Two classes, upper left and upper right, would be the same; here above and below.
  DatasetWriter writer(folder_ / "rows.h5", {8, 8, 1}, ElementType::u8);
  for (uint64_t i = 0; i < 200; ++i) {
    std::vector<uint8_t> x(64);
    for (size_t k = 0; k < 64; ++k)
      x[k] = static_cast<uint8_t>((random4(2, Stream::sample, i, k).v[0] >> 26) + ((k < 32) == (i % 2 == 0) ? 100 : 0));
    writer.append(Split::train, x, static_cast<int32_t>(i % 2), std::to_string(i), sha256(x));
  }
  DatasetMeta meta = data_.meta();
  meta.classes = {"above", "below"};
  writer.finish(meta);
  data_ = Dataset::open(folder_ / "rows.h5");
  notes.clear();
  model = run(hooks);
  EXPECT_NE(notes.find("mirroring joins"), std::string::npos) << notes;
  EXPECT_EQ(nlohmann::json::parse(model->provenance)["mirrored"], true);
}

TEST_F(Training, ItsOwnValSplitIsUsedAndNoneUsesAllOfTrain) {
  data_ = quarters(folder_ / "val.h5", 200, true);
  std::string said;
  TrainHooks hooks;
  hooks.explain = [&](const std::string& text) { said += text + "\n"; };
  ASSERT_TRUE(run(hooks));
  EXPECT_NE(said.find("the val split, 40 samples"), std::string::npos) << said;
  setup_.options.val = "none";
  bool scored = false;
  hooks.on_epoch = [&](const EpochRecord& record) { scored |= record.val_accuracy.has_value(); };
  ASSERT_TRUE(run(hooks));
  EXPECT_FALSE(scored);
}

TEST_F(Training, InitTakesWeightsAndTheHeadOnlyForTheSameClasses) {
  const std::optional<Model> first = run();
  const Graph graph = build_graph(kNet, {8, 8, 1}, 4);
  const ParameterSet same = starting_parameters(graph, 7, &*first, first->classes);
  EXPECT_EQ(same.at("dense1/kernel").values, first->weights.at("dense1/kernel").values);
  const ParameterSet other = starting_parameters(graph, 7, &*first, {"w", "x", "y", "z"});
  EXPECT_EQ(other.at("conv1/kernel").values, first->weights.at("conv1/kernel").values);
  EXPECT_NE(other.at("dense1/kernel").values, first->weights.at("dense1/kernel").values);
  const Graph wider = build_graph("conv 9 3x3 bn relu; maxpool 2; dense classes", {8, 8, 1}, 4);
  EXPECT_THROW(starting_parameters(wider, 7, &*first, first->classes), Error);
}

TEST_F(Training, DataThatCannotBeLearntFromIsRefused) {
  data_ = quarters(folder_ / "one.h5", 20, false, 1);
  EXPECT_EQ(status(), Exit::no_input);
}

TEST_F(Training, FewSamplesWork) {
  for (const int64_t n : {4, 9, 30}) {
    data_ = quarters(folder_ / ("few" + std::to_string(n) + ".h5"), n);
    setup_.options.batch = 128;
    ASSERT_TRUE(run()) << n;
  }
}

TEST_F(Training, ACheckpointSurvivesWritingAndReading) {
  Checkpoint c;
  c.state = {3, 7, 1.25, 11, 13, 0.5, 0.25, 1.0 / 3, 0.1, 2, 250, 4.5, 1};
  const Graph graph = build_graph("dense classes", {8, 8, 1}, 4);
  c.parameters.tensors = {{"dense1/kernel", {64, 4}, std::vector<float>(256, 1.5F)},
                          {"dense1/bias", {4}, {1, 2, 3, 4}},
                          {"dense1/bias.momentum", {4}, {5, 6, 7, 8}},
                          {"optimizer.steps", {1}, {9}}};
  c.best.tensors = {{"dense1/bias", {4}, {0, 0, 0, 1}}};
  c.options = "{}";
  c.net = "dense classes";
  c.dataset = "abc";
  c.log = "{}\n";
  write_checkpoint(folder_ / "c.ckpt", c, data_.meta(), graph);
  const std::optional<Checkpoint> back = read_checkpoint(folder_ / "c.ckpt");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->state.best_accuracy, 1.0 / 3);
  EXPECT_EQ(back->state.step, 7);
  EXPECT_EQ(back->state.seconds, 4.5);
  EXPECT_EQ(back->parameters.at("dense1/bias.momentum").values, c.parameters.at("dense1/bias.momentum").values);
  EXPECT_EQ(back->parameters.at("optimizer.steps").values[0], 9);
  EXPECT_EQ(back->best.at("dense1/bias").values[3], 1);
  EXPECT_EQ(back->log, "{}\n");
  EXPECT_FALSE(read_checkpoint(folder_ / "absent"));
}

}  // namespace
}  // namespace lepton
