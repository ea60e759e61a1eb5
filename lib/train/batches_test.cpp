#include "train/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <thread>

#include "train/train_test_data.h"

namespace lepton {
namespace {

std::vector<int64_t> first(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

struct Epoch {
  std::vector<int64_t> sizes;
  std::vector<std::vector<uint8_t>> samples;  // in the order they came
  std::vector<int32_t> labels;
};

Epoch collect(BatchLoader& loader, int64_t epoch, int64_t first_step = 0, const AugmentSpec& augment = {}) {
  Epoch e;
  loader.start(epoch, first_step, augment);
  while (const OwnedBatch* batch = loader.next()) {
    e.sizes.push_back(batch->n);
    for (int64_t i = 0; i < batch->n; ++i) {
      e.samples.emplace_back(batch->x.begin() + i * 64, batch->x.begin() + (i + 1) * 64);
      e.labels.push_back(batch->labels[static_cast<size_t>(i)]);
    }
  }
  return e;
}

class Batches : public testing::Test {
 protected:
  TemporaryFolder folder_;
  Dataset data_ = quarters(folder_ / "data.h5", 103);
  const SplitData& split_ = *data_.split(Split::train);
};

TEST_F(Batches, EverySampleOnceAnEpochWhateverTheBatchAndWindow) {
  for (const int64_t batch : {1, 7, 16, 103, 500}) {
    for (const int64_t window_samples : {1, 20, 103, 1000}) {
      LoaderOptions options;
      options.batch = batch;
      options.window_bytes = window_samples * 64;
      BatchLoader loader(split_, first(103), options);
      const Epoch e = collect(loader, 3);
      EXPECT_EQ(static_cast<int64_t>(e.sizes.size()), loader.steps_per_epoch());
      const auto [least, most] = std::minmax_element(e.sizes.begin(), e.sizes.end());
      EXPECT_LE(*most - *least, 1);
      EXPECT_EQ(*most, loader.largest_batch());
      EXPECT_LE(*most, batch);
      std::map<std::vector<uint8_t>, int> seen;
      for (const auto& sample : e.samples) ++seen[sample];
      EXPECT_EQ(seen.size(), 103U) << batch << " " << window_samples;
      for (int64_t i = 0; i < 103; ++i)
        EXPECT_EQ(seen[quarter_image(static_cast<uint64_t>(i), static_cast<int>(i % 4))], 1);
    }
  }
}

TEST_F(Batches, LabelsAndWeightsStayWithTheirSamples) {
  LoaderOptions options;
  options.batch = 10;
  options.class_weights = {1, 2, 3, 4};
  BatchLoader loader(split_, first(103), options);
  loader.start(0, 0, {});
  while (const OwnedBatch* batch = loader.next()) {
    for (size_t i = 0; i < static_cast<size_t>(batch->n); ++i) {
      const uint8_t* x = batch->x.data() + i * 64;
      const int label = batch->labels[i];
      EXPECT_GE(x[(label >= 2 ? 32 : 0) + (label % 2 == 1 ? 4 : 0)], 120) << "the bright quarter names the class";
      EXPECT_EQ(batch->weights[i], static_cast<float>(label + 1));
    }
  }
}

TEST_F(Batches, AnEpochBegunInTheMiddleGoesOnAsTheWholeOne) {
  for (const int64_t window_samples : {30, 1000}) {
    LoaderOptions options;
    options.batch = 10;
    options.window_bytes = window_samples * 64;
    BatchLoader loader(split_, first(103), options);
    const Epoch whole = collect(loader, 2), rest = collect(loader, 2, 4);
    ASSERT_LT(rest.samples.size(), whole.samples.size());
    EXPECT_TRUE(std::equal(rest.samples.rbegin(), rest.samples.rend(), whole.samples.rbegin()));
  }
}

TEST_F(Batches, NamedSamplesAreThoseThatWereBrought) {
  for (const int64_t window_samples : {20, 1000}) {
    LoaderOptions options;
    options.batch = 10;
    options.window_bytes = window_samples * 64;
    BatchLoader loader(split_, first(103), options);
    const Epoch brought = collect(loader, 2);
    loader.name_samples();
    loader.start(2, 0, {});
    size_t at = 0;
    while (const OwnedBatch* batch = loader.next()) {
      EXPECT_TRUE(batch->x.empty());
      EXPECT_EQ(batch->view().kept.size(), static_cast<size_t>(batch->n));
      for (int64_t i = 0; i < batch->n; ++i, ++at) {
        std::vector<uint8_t> x(64);
        split_.read(batch->kept[static_cast<size_t>(i)], 1, x);
        EXPECT_EQ(x, brought.samples.at(at));
        EXPECT_EQ(batch->labels[static_cast<size_t>(i)], brought.labels.at(at));
      }
    }
    EXPECT_EQ(at, 103U);
  }
}

TEST_F(Batches, TheBatchAheadIsTheNextOne) {
  LoaderOptions options;
  options.batch = 10;
  BatchLoader loader(split_, first(103), options);
  loader.start(0, 0, {});
  const uint8_t* promised = nullptr;
  int64_t promises = 0, steps = 0;
  while (const OwnedBatch* batch = loader.next()) {
    ++steps;
    if (promised != nullptr) {
      EXPECT_EQ(batch->x.data(), promised);
    }
    const OwnedBatch* ahead = loader.ahead();
    for (int tries = 0; ahead == nullptr && steps < loader.steps_per_epoch() && tries < 1000; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ahead = loader.ahead();
    }
    promised = ahead == nullptr ? nullptr : ahead->x.data();
    promises += ahead == nullptr ? 0 : 1;
  }
  EXPECT_EQ(promises, loader.steps_per_epoch() - 1);
}

TEST_F(Batches, OrderDependsOnSeedAndEpochAlone) {
  LoaderOptions options;
  BatchLoader one(split_, first(103), options), two(split_, first(103), options);
  EXPECT_EQ(collect(one, 5).samples, collect(two, 5).samples);
  EXPECT_NE(collect(one, 5).samples, collect(two, 6).samples);
  options.seed = 1;
  BatchLoader other(split_, first(103), options);
  EXPECT_NE(collect(one, 5).samples, collect(other, 5).samples);
}

TEST_F(Batches, ALoaderMayBeLeftInTheMiddle) {
  LoaderOptions options;
  options.batch = 2;
  BatchLoader loader(split_, first(103), options);
  loader.start(0, 0, {});
  ASSERT_NE(loader.next(), nullptr);
  EXPECT_EQ(collect(loader, 1).samples.size(), 103U);
  loader.start(2, 0, {});
}

TEST(EpochOrder, EverySampleOnceAndOnlyOnceItsChunkHasComeAndWithinTheWindow) {
  std::vector<int64_t> samples = first(100);
  std::erase_if(samples, [](int64_t i) { return i % 7 == 3; });  // held out
  for (const int64_t window : {1, 20, 35, 90}) {
    const EpochOrder order = epoch_order(samples, 10, window, 0, 0);
    std::vector<int64_t> sorted = order.samples;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, samples);
    EXPECT_NE(order.samples, samples);
    size_t arrived = 0;
    int64_t present = 0;
    std::vector<char> here(100);
    for (int64_t position = 0; position < std::ssize(samples); ++position) {
      for (; arrived < order.arrivals.size() && order.arrivals[arrived].position <= position; ++arrived) {
        const EpochOrder::Arrival& chunk = order.arrivals[arrived];
        for (int64_t i = chunk.begin; i < chunk.end; ++i)
          here[static_cast<size_t>(samples[static_cast<size_t>(i)])] = 1;
        present += chunk.end - chunk.begin;
      }
      ASSERT_LE(present, std::max<int64_t>(window, 10));
      ASSERT_TRUE(here[static_cast<size_t>(order.samples[static_cast<size_t>(position)])]) << window;
      --present;
    }
  }
}

// The worst case, a file sorted by class: how much more the classes of a batch vary than in a plain shuffle. A pool of
// k chunks has the classes of k random draws, so a batch of b has about 1 + b / k times the variance.
double class_variance(int64_t window, int64_t batch) {
  constexpr int64_t kSamples = 40'000, kChunk = 20, kClasses = 10;
  const std::vector<int64_t> order = epoch_order(first(kSamples), kChunk, window, 0, 1).samples;
  const double share = static_cast<double>(batch) / kClasses;
  double sum = 0;
  for (int64_t begin = 0; begin < kSamples; begin += batch) {
    std::vector<double> counts(kClasses);
    for (int64_t i = begin; i < begin + batch; ++i)
      ++counts[static_cast<size_t>(order[static_cast<size_t>(i)] * kClasses / kSamples)];
    for (const double count : counts) sum += (count - share) * (count - share);
  }
  return sum / static_cast<double>(kSamples / batch * kClasses) / (share * (1 - 1.0 / kClasses));
}

TEST(EpochOrder, AWindowMixesAFileSortedByClass) {
  EXPECT_NEAR(class_variance(40'000, 100), 1, 0.1) << "a plain shuffle";
  EXPECT_NEAR(class_variance(4'000, 100), 1.5, 0.25) << "a tenth of the samples: 200 chunks";
  EXPECT_NEAR(class_variance(10'000, 100), 1.2, 0.15) << "a quarter";
  EXPECT_GT(class_variance(200, 100), 3) << "ten chunks are too few: the measure sees it";
}

TEST(AugmentOf, NumbersStayInRangeAndReachItsEnds) {
  const Shape shape{32, 24, 3};
  AugmentSpec spec;
  spec.shift = 2;
  spec.flip = AugmentSpec::Flip::random;
  spec.cutout = 8;
  spec.brightness = 0.1F;
  spec.contrast = 0.2F;
  std::map<int, int> shifts, flips;
  for (int64_t i = 0; i < 2000; ++i) {
    const Augment a = augment_of(spec, shape, 0, 1, i);
    ++shifts[a.dy];
    ++shifts[100 + a.dx];
    ++flips[a.flip];
    ASSERT_TRUE(a.cut_y >= 0 && a.cut_h >= 4 && a.cut_h <= 8 && a.cut_y + a.cut_h <= 32);
    ASSERT_TRUE(a.cut_x >= 0 && a.cut_w >= 4 && a.cut_w <= 8 && a.cut_x + a.cut_w <= 24);
    ASSERT_LE(std::abs(a.brightness), 25.5F);
    ASSERT_LE(std::abs(a.contrast - 1), 0.2F + 1e-6F);
  }
  ASSERT_EQ(shifts.size(), 10U) << "-2 to 2 on both axes";
  for (const auto& [shift, count] : shifts) EXPECT_NEAR(count, 400, 100) << shift;
  EXPECT_NEAR(flips[1], 1000, 120);
}

TEST(AugmentOf, AlternateMirrorsEveryOtherEpoch) {
  AugmentSpec spec;
  spec.flip = AugmentSpec::Flip::alternate;
  int begin_mirrored = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const bool start = augment_of(spec, {8, 8, 1}, 0, 0, i).flip;
    begin_mirrored += start;
    for (int64_t epoch = 1; epoch < 5; ++epoch) {
      ASSERT_EQ(augment_of(spec, {8, 8, 1}, 0, epoch, i).flip, start == (epoch % 2 == 0));
    }
  }
  EXPECT_NEAR(begin_mirrored, 200, 60);
}

TEST(AugmentOf, FramesAreShiftedMaskedAndMadeNoisy) {
  const Shape shape{20, 8};
  AugmentSpec spec;
  spec.shift = 3;
  spec.time_mask = 5;
  spec.band_mask = 30;  // more than there are
  spec.noise = 0.5F;
  std::map<int, int> shifts, times, bands;
  float most = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const Augment a = augment_of(spec, shape, 0, 1, i);
    ++shifts[a.dy];
    ++times[a.cut_h];
    ++bands[a.cut_w];
    ASSERT_TRUE(a.cut_y >= 0 && a.cut_y + a.cut_h <= 20 && a.cut_x >= 0 && a.cut_x + a.cut_w <= 8);
    ASSERT_TRUE(a.noise >= 0 && a.noise <= 0.5F && !a.flip && a.dx == 0);
    most = std::max(most, a.noise);
    ASSERT_EQ(a.key, augment_of(spec, shape, 0, 1, i).key);
    ASSERT_NE(a.key, augment_of(spec, shape, 0, 2, i).key);
  }
  EXPECT_EQ(shifts.size(), 7U);
  EXPECT_EQ(times.size(), 6U) << "0 to 5 frames";
  EXPECT_EQ(bands.size(), 9U) << "0 to 8 bands";
  EXPECT_GT(most, 0.45F);
}

TEST(AugmentOf, NothingAskedNothingDone) {
  const Augment a = augment_of({}, {8, 8, 1}, 0, 3, 5);
  EXPECT_TRUE(a.dy == 0 && a.dx == 0 && !a.flip && a.cut_h == 0 && a.brightness == 0 && a.contrast == 1);
}

}  // namespace
}  // namespace lepton
