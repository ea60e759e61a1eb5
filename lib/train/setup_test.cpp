// Schedules, options, held-out samples, class weights and rates.
#include <gtest/gtest.h>

#include <tuple>

#include <algorithm>
#include <functional>
#include <set>

#include "base/error.h"
#include "net/presets.h"
#include "train/train_test_data.h"
#include "train/trainer.h"

namespace lepton {
namespace {

Exit status_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.status();
  }
  return Exit::ok;
}

TEST(Schedule, KnownPoints) {
  struct Row {
    ScheduleKind kind;
    double warmup, progress, factor;
  };
  const Row rows[] = {
      {ScheduleKind::constant, 0, 0, 1},         {ScheduleKind::constant, 0.5, 0.25, 0.5},
      {ScheduleKind::constant, 0.5, 0.75, 1},    {ScheduleKind::step, 0, 0.49, 1},
      {ScheduleKind::step, 0, 0.5, 0.1},         {ScheduleKind::step, 0, 0.8, 0.01},
      {ScheduleKind::cosine, 0, 0, 1},           {ScheduleKind::cosine, 0, 0.5, 0.5},
      {ScheduleKind::cosine, 0, 1, 0},           {ScheduleKind::cosine, 0.2, 0.1, 0.5},
      {ScheduleKind::linear, 0, 0.25, 0.75},     {ScheduleKind::linear, 0, 1, 0},
      {ScheduleKind::one_cycle, 0.2, 0, 0.04},   {ScheduleKind::one_cycle, 0.2, 0.2, 1},
      {ScheduleKind::one_cycle, 0.2, 0.6, 0.5},  {ScheduleKind::one_cycle, 0.2, 1, 0},
      {ScheduleKind::one_cycle, 0.2, 0.1, 0.52}, {ScheduleKind::linear, 0, 1.5, 0},
  };
  for (const Row& row : rows) {
    EXPECT_NEAR(schedule_factor({row.kind, row.warmup}, row.progress), row.factor, 1e-9)
        << schedule_name(row.kind) << " at " << row.progress;
  }
}

TEST(Options, DecaysFollowBatchAndRates) {
  TrainOptions recipe;
  apply_options(recipe, find_preset("speed94")->defaults);
  TrainOptions same = recipe;
  scale_decays(same, recipe, false, false);
  EXPECT_EQ(same.bias_decay, recipe.bias_decay);
  EXPECT_EQ(same.head_decay, recipe.head_decay);
  TrainOptions other = recipe;
  other.batch = 500;
  other.bias_lr = 0.1;
  scale_decays(other, recipe, false, false);
  EXPECT_NEAR(other.bias_decay, 2e-6 * 500 / 0.1, 1e-7);
  EXPECT_NEAR(other.head_decay, 2e-6 * 500 / 0.67, 1e-7);
  TrainOptions own = recipe;
  own.batch = 500;
  own.bias_decay = 0.3;
  own.head_lr = 0;
  scale_decays(own, recipe, true, false);
  EXPECT_EQ(own.bias_decay, 0.3);
  EXPECT_EQ(own.head_decay, recipe.head_decay);
}

TEST(Options, BadValuesAreUsageErrors) {
  const std::pair<const char*, const char*> rows[] = {
      {"epochs", "0"},    {"epochs", "3.5"}, {"epochs", ""},      {"batch", "x"},           {"optimizer", "adam"},
      {"lr", "-1"},       {"lr", "nan"},     {"schedule", "cos"}, {"target", "0.9"},        {"target", "accuracy=2"},
      {"time", "5 days"}, {"time", "0"},     {"val", "2"},        {"label-smoothing", "1"}, {"momentum", "1"},
  };
  for (const auto& [name, value] : rows) {
    TrainOptions options;
    EXPECT_EQ(status_of([&] { apply_option(options, name, value); }), Exit::usage) << name << " " << value;
  }
  TrainOptions options;
  EXPECT_EQ(status_of([&] { apply_augment(options, "shfit=2"); }), Exit::usage);
}

TEST(Options, EveryPresetsDefaultsAreUnderstoodAndReachTheRecord) {
  for (const Preset& preset : presets()) {
    TrainOptions options;
    apply_options(options, preset.defaults);
    const std::string json = options_json(options);
    for (const auto& [name, value] : preset.defaults) {
      EXPECT_NE(json.find("\"" + name + "\":"), std::string::npos) << preset.name << " " << name;
    }
  }
}

TEST(Options, AugmentListsReplaceTheRecipes) {
  TrainOptions options;
  options.augment.cutout = 8;
  apply_augment(options, "shift=3,flip=random,contrast=0.2");
  EXPECT_EQ(options.augment.shift, 3);
  EXPECT_EQ(options.augment.cutout, 0);
  EXPECT_EQ(options.augment.flip, AugmentSpec::Flip::random);
  EXPECT_FALSE(options.flip_auto);
  apply_augment(options, "auto");
  EXPECT_TRUE(options.flip_auto);
  EXPECT_EQ(options.augment.shift, 3);
  apply_augment(options, "none");
  EXPECT_FALSE(options.augment.any() || options.flip_auto);
}

TEST(Options, VariationsMustFitTheSamples) {
  const Shape image{8, 8, 1}, frames{50, 40}, row{12};
  for (const auto& [list, sample, fits] : {std::tuple{"shift=2,flip=random,cutout=3", image, true},
                                           {"shift=2,time-mask=5,band-mask=4,noise=0.5", frames, true},
                                           {"flip=random", frames, false},
                                           {"cutout=3", frames, false},
                                           {"contrast=0.1", frames, false},
                                           {"noise=0.5", image, false},
                                           {"band-mask=4", image, false},
                                           {"flip=auto", frames, false},
                                           {"shift=2", row, false},
                                           {"cutout=0", row, false},
                                           {"time-mask=3", row, false}}) {
    TrainOptions options;
    apply_augment(options, list);
    if (fits) {
      EXPECT_NO_THROW(check_augment(options, sample, list)) << list;
      EXPECT_NE(options_json(options).find("\"shift\":2"), std::string::npos);
    } else {
      EXPECT_EQ(status_of([&] { check_augment(options, sample, list); }), Exit::usage) << list;
    }
  }
  TrainOptions automatic;
  apply_augment(automatic, "auto");
  check_augment(automatic, frames, "auto");
  EXPECT_FALSE(automatic.flip_auto);
}

TEST(Options, Durations) {
  EXPECT_EQ(parse_duration("time", "90"), 90);
  EXPECT_EQ(parse_duration("time", "90s"), 90);
  EXPECT_EQ(parse_duration("time", "30m"), 1800);
  EXPECT_EQ(parse_duration("time", "1.5h"), 5400);
}

TEST(HoldOut, IsStableAndInProportion) {
  const TemporaryFolder folder;
  const Dataset data = quarters(folder / "data.h5", 200), more = quarters(folder / "more.h5", 204);
  struct Row {
    const char* val;
    size_t held;
  };
  for (const Row& row : {Row{"auto", 40}, {"0.1", 20}, {"0.5", 100}, {"none", 0}}) {
    const SplitData& split = *data.split(Split::train);
    std::vector<int64_t> all;
    for (int64_t i = 0; i < split.size(); ++i) all.push_back(i);
    const HeldOut parts = hold_out(split, all, 4, row.val);
    EXPECT_EQ(parts.val.size(), row.held) << row.val;
    EXPECT_EQ(parts.train.size(), 200 - row.held);
    std::vector<int64_t> both = parts.train;
    both.insert(both.end(), parts.val.begin(), parts.val.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, all);
    // Four new samples move at most one a class.
    all.insert(all.end(), {200, 201, 202, 203});
    const HeldOut later = hold_out(*more.split(Split::train), all, 4, row.val);
    int64_t moved = 0;
    for (const int64_t i : parts.val) moved += !std::binary_search(later.val.begin(), later.val.end(), i);
    EXPECT_LE(moved, 4);
  }
}

TEST(ClassWeights, AutoEvensOutClasses) {
  const TemporaryFolder folder;
  const Dataset data = quarters(folder / "data.h5", 40);
  const SplitData& split = *data.split(Split::train);
  // Class a is there 10 times, b to d 2 times each.
  const std::vector<int64_t> samples = {0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 1, 5, 2, 6, 3, 7};
  const std::vector<float> w = class_weights("auto", data.meta().classes, split, samples);
  ASSERT_EQ(w.size(), 4U);
  EXPECT_NEAR(w[0], 0.4F, 1e-6F);
  EXPECT_NEAR(w[1], 2.0F, 1e-6F);
  EXPECT_TRUE(class_weights("none", data.meta().classes, split, samples).empty());
  EXPECT_EQ(class_weights("class b=3", data.meta().classes, split, samples), (std::vector<float>{1, 3, 1, 1}));
  for (const char* bad : {"class e=1", "class a", "class a=-1", "class a=x"}) {
    EXPECT_EQ(status_of([&] { class_weights(bad, data.meta().classes, split, samples); }), Exit::usage) << bad;
  }
}

TEST(Rates, DecayLeavesBiasesAndNormsAlone) {
  const Graph graph = build_graph("conv 4 3x3 bn relu; conv 4 3x3 lr=0.5; dense classes", {8, 8, 1}, 4);
  TrainOptions options;
  options.lr = 0.1;
  options.weight_decay = 0.01;
  options.schedule = {ScheduleKind::constant, 0};
  const Rates rates = rates_at(graph, options, 0.5, 1);
  const std::vector<ParameterRef> parameters = parameters_of(graph);
  ASSERT_EQ(rates.rates.size(), parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p =
        graph.nodes[static_cast<size_t>(parameters[i].node)].parameters[static_cast<size_t>(parameters[i].index)];
    const std::string& name = parameters[i].name;
    EXPECT_EQ(rates.decays[i], p.role == Role::kernel ? 0.01F : 0.0F) << name;
    EXPECT_FLOAT_EQ(rates.rates[i], !p.trainable ? 0.0F : name.starts_with("conv2") ? 0.05F : 0.1F) << name;
  }
}

TEST(Rates, Speed94sGroups) {
  const Preset& preset = *find_preset("speed94");
  const Graph graph = build_graph(preset.net, {32, 32, 3}, 10);
  TrainOptions options;
  apply_options(options, preset.defaults);
  const Rates start = rates_at(graph, options, 0, 0), later = rates_at(graph, options, 0.25, 2);
  std::set<std::string> seen;
  const std::vector<ParameterRef> parameters = parameters_of(graph);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p =
        graph.nodes[static_cast<size_t>(parameters[i].node)].parameters[static_cast<size_t>(parameters[i].index)];
    if (!p.trainable) continue;
    const bool whiten_bias = p.epochs > 0;
    const float top = parameters[i].matrix ? 0.24F : p.role == Role::kernel ? 0.67F : 0.053F;
    EXPECT_FLOAT_EQ(start.rates[i], top) << parameters[i].name;
    EXPECT_FLOAT_EQ(later.rates[i], whiten_bias ? top / 3 : 0.75F * top) << parameters[i].name;
    // 2e-6 x 2000 = rate x decay, as published.
    EXPECT_NEAR(start.rates[i] * start.decays[i], parameters[i].matrix ? 0 : 0.004, 1e-6) << parameters[i].name;
    seen.insert(parameters[i].matrix ? "matrix" : whiten_bias ? "whiten bias" : role_name(p.role));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"matrix", "whiten bias", "kernel", "beta"}));
}

}  // namespace
}  // namespace lepton
