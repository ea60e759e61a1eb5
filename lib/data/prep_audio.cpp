// Recordings as prep takes them; and which medium the inputs are.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/prep_medium.h"
#include "data/recipe_audio.h"

namespace lepton {
namespace {

constexpr double kKeptShare = 0.95;  // of the training recordings are not cut where no duration is given
constexpr int64_t kTrimDecibels = 40, kRangeDecibels = 50;

class AudioMedium : public Medium {
 public:
  explicit AudioMedium(const PrepOptions& options) : asked_(options.audio) {
    if (options.known != nullptr) known_ = dynamic_cast<const AudioRecipe*>(options.known->recipe.get());
    max_seconds_ =
        known_ != nullptr ? known_->settings().max_seconds : asked_.max_seconds.value_or(AudioSettings{}.max_seconds);
  }

  const char* plural() const override { return "recordings"; }
  const char* task() const override { return "audio-classification"; }
  const Recipe& recipe() const override { return *recipe_; }

  RowState examine(ItemBlock::Entry& entry) const override {
    Item& item = entry.item;
    if (item.raw.rank() > 0 || !looks_like_audio(item.bytes)) {
      item.problem = item.raw.rank() == 0 && item.bytes.empty() ? "is empty" : "is not a recording of a known kind";
      return RowState::foreign;
    }
    const AudioInfo info = decode_audio_header(item.bytes, {max_seconds_});
    entry.rate = info.rate;
    entry.frames = info.frames;
    if (asked_.trim && !asked_.duration) {
      entry.frames = std::ssize(decode_at(item.bytes, max_seconds_, info.rate, kTrimDecibels).samples);
    }
    return RowState::good;
  }

  void saw(const ItemBlock::Entry& entry) override {
    lengths_.resize(entry.row);  // rows between were bad
    lengths_.push_back({entry.rate, entry.frames});
  }

  void choose(const std::vector<Row>& rows, const PrepHooks& hooks) override {
    const bool any_train = std::any_of(rows.begin(), rows.end(), [](const Row& row) {
      return row.state == RowState::good && row.split == Split::train;
    });
    std::vector<Length> all, train;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].state != RowState::good) continue;
      all.push_back(lengths_[r]);
      if (!any_train || rows[r].split == Split::train) train.push_back(lengths_[r]);
    }
    if (known_ != nullptr) {
      recipe_.emplace(*known_);
      tell(all, known_->settings().features.rate, hooks);
      return;
    }
    const int64_t rate = asked_.rate.value_or(0) > 0 ? *asked_.rate : usual_rate(train);
    const double seconds = asked_.duration ? *asked_.duration : usual_seconds(train);
    set_recipe(rate, seconds);
    tell(all, rate, hooks);
  }

  void choose_any() override { set_recipe(asked_.rate.value_or(8000), 1); }

  void decode(ItemBlock::Entry& entry) const override { entry.x = recipe_->prepare(entry.item.bytes).x; }

  void add(const ItemBlock::Entry& entry) override {
    std::vector<float> frames(entry.x.size() / sizeof(float));
    std::memcpy(frames.data(), entry.x.data(), entry.x.size());
    sums_.add(frames, bands());
  }
  void set_statistics(DatasetMeta& meta) const override { sums_.statistics(bands(), meta.mean, meta.std); }
  std::string describe() const override { return recipe_->describe(); }

  void record_options(RecipeJson& json) const override {
    if (asked_.rate) json["rate"] = *asked_.rate;
    if (asked_.duration) json["duration"] = *asked_.duration;
    if (asked_.crop) json["crop"] = *asked_.crop == CropMode::energy ? "energy" : "centre";
    if (asked_.trim) json["trim"] = true;
    if (asked_.level) json["level"] = *asked_.level;
    if (asked_.range) json["range"] = *asked_.range;
    constexpr std::array<const char*, 3> kKinds = {"logmel", "mfcc", "wave"};
    if (asked_.kind) json["features"] = kKinds[static_cast<size_t>(*asked_.kind)];
    if (asked_.bands) json["bands"] = *asked_.bands;
    if (asked_.coefficients) json["coefficients"] = *asked_.coefficients;
    if (asked_.window) json["window"] = *asked_.window;
    if (asked_.hop) json["hop"] = *asked_.hop;
  }

 private:
  struct Length {
    int64_t rate = 0, frames = 0;
    double seconds() const { return static_cast<double>(frames) / static_cast<double>(rate); }
  };

  int64_t bands() const { return recipe_->sample_shape()[1]; }

  // The most frequent one; of two as frequent the lower.
  static int64_t usual_rate(const std::vector<Length>& lengths) {
    std::map<int64_t, int64_t> rates;
    for (const Length& length : lengths) ++rates[length.rate];
    return std::max_element(rates.begin(), rates.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }

  // That of the recording which kKeptShare of all do not exceed, to the next hundredth of a second.
  double usual_seconds(const std::vector<Length>& lengths) const {
    std::vector<double> seconds;
    seconds.reserve(lengths.size());
    for (const Length& length : lengths) seconds.push_back(length.seconds());
    const auto rank = static_cast<int64_t>(std::ceil(kKeptShare * static_cast<double>(seconds.size()))) - 1;
    std::nth_element(seconds.begin(), seconds.begin() + rank, seconds.end());
    return std::max(std::ceil(seconds[static_cast<size_t>(rank)] * 100 - 1e-6), std::ceil(window_ms() / 10)) / 100;
  }

  double window_ms() const { return asked_.window.value_or(25); }

  void set_recipe(int64_t rate, double seconds) {
    const auto samples = [rate](double milliseconds) {
      return std::max<int64_t>(1, std::llround(milliseconds * static_cast<double>(rate) / 1000));
    };
    AudioSettings s;
    s.max_seconds = max_seconds_;
    s.trim_db = asked_.trim ? kTrimDecibels : 0;
    s.samples = samples(seconds * 1000);
    s.crop = asked_.crop.value_or(CropMode::centre);
    s.features.kind = asked_.kind.value_or(FeatureKind::logmel);
    const bool wave = s.features.kind == FeatureKind::wave;
    s.level = asked_.level.value_or(!wave);
    s.features.range_db = asked_.range.value_or(wave ? 0 : kRangeDecibels);
    s.features.rate = rate;
    s.features.window = samples(window_ms());
    s.features.hop = samples(asked_.hop.value_or(10));
    s.features.bands = asked_.bands.value_or(s.features.bands);
    s.features.coefficients = asked_.coefficients.value_or(std::min(s.features.coefficients, s.features.bands));
    recipe_.emplace(s);
  }

  void tell(const std::vector<Length>& all, int64_t rate, const PrepHooks& hooks) const {
    std::map<int64_t, int64_t> others;
    int64_t resampled = 0, longer = 0, shorter = 0;
    const double seconds = static_cast<double>(recipe_->settings().samples) / static_cast<double>(rate);
    for (const Length& length : all) {
      if (length.rate != rate) ++others[length.rate], ++resampled;
      if (length.seconds() > seconds + 1e-9) ++longer;
      if (length.seconds() < seconds - 1e-9) ++shorter;
    }
    const std::string total = with_commas(std::ssize(all));
    if (resampled > 0) {
      hooks.note(fmt::format("{} of {} recordings are brought from {} Hz{} to {} Hz", with_commas(resampled), total,
                             others.begin()->first, others.size() > 1 ? " and other rates" : "", rate));
    }
    const auto longest = std::max_element(all.begin(), all.end(),
                                          [](const Length& a, const Length& b) { return a.seconds() < b.seconds(); });
    hooks.detail(fmt::format(
        "{:g} s {}: of {} recordings {} are cropped, {} padded with zeros; the longest is {:.2f} s", seconds,
        known_ != nullptr ? "as the recipe says"
        : asked_.duration ? "as asked for"
                          : "hold 95 % of the training recordings",
        total, with_commas(longer), with_commas(shorter), longest->seconds()));
  }

  const AudioOptions& asked_;
  const AudioRecipe* known_ = nullptr;  // of a model or dataset; nullptr: chosen here
  double max_seconds_;
  std::vector<Length> lengths_;  // by row, of the good ones
  std::optional<AudioRecipe> recipe_;
  ColumnSums sums_;
};

}  // namespace

std::string kind_of_files(const std::vector<std::unique_ptr<Source>>& sources) {
  constexpr int kTried = 1000;
  int tried = 0;
  for (const auto& source : sources) {
    source->rewind();
    for (Item item; tried < kTried && source->next(item); ++tried) {
      if (item.raw.rank() > 0) return "image";
      source->load(item);
      if (!item.problem.empty()) continue;
      if (image_format(item.bytes) != ImageFormat::unknown) return "image";
      if (looks_like_audio(item.bytes)) return "audio";
    }
  }
  return "";
}

std::unique_ptr<Medium> audio_medium(const PrepOptions& options) { return std::make_unique<AudioMedium>(options); }

std::unique_ptr<Medium> medium_of(const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options) {
  std::string kind = options.type;
  if (kind.empty() || options.known != nullptr) {
    const std::string found = kind_of_files(sources);
    if (options.known != nullptr && !found.empty() && found != options.known->kind)
      refuse_kind(*options.known, sources[0]->name, found == "image" ? "images" : "recordings");
    kind = options.known != nullptr ? options.known->kind : found;
  }
  return kind == "audio" ? audio_medium(options) : image_medium(options);
}

}  // namespace lepton
