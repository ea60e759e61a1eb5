#pragma once
// One training run: the loop is in trainer.cpp, what it leaves (checkpoints, the model, a verdict) in run_results.cpp.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/recipe.h"
#include "train/checkpoint.h"
#include "train/numbers.h"
#include "train/trainer.h"

namespace lepton {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

// Mirroring joins where it costs at most a tenth of the accuracy, judged once the model knows something: above the
// majority's share by a fifth of what is left.
enum class Mirror { undecided, harmless, harmful };

class Run {
 public:
  Run(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks);
  std::optional<Model> operator()();

 private:
  struct Score {
    double loss = 0, accuracy = 0, mirrored = 0;  // regression: the loss alone
  };
  void choose_samples();
  void compile_engines();
  bool run_epoch();  // false: stopped
  void end_epoch();
  double progress() const;
  bool regression() const { return is_regression(data_.meta()); }
  Score validate(bool mirrored);
  void save_checkpoint();
  void restore(const Checkpoint& checkpoint);
  void whiten(ParameterSet& parameters);
  void place_samples();
  Model finished_model();
  void require_learned();
  void require_learned_numbers();
  [[noreturn]] void diverged(const std::string& where);
  double elapsed() const { return state_.seconds + seconds_since(begun_); }
  bool better(const Score& score) const;

  const Dataset& data_;
  const TrainSetup& setup_;
  const TrainHooks& hooks_;
  TrainOptions options_;
  const SplitData* train_split_;
  const SplitData* val_split_ = nullptr;
  std::vector<int64_t> train_samples_, val_samples_;
  std::vector<int32_t> val_labels_;  // of val_samples_
  double majority_ = 0;              // share of the most frequent class where the run is judged
  Graph graph_;
  std::unique_ptr<Engine> engine_, judge_;  // the one that learns, the one that validates
  std::unique_ptr<BatchLoader> loader_;
  int64_t judge_batch_ = 1;
  Clock::time_point begun_ = Clock::now(), checkpointed_ = Clock::now(), epoch_begun_;
  ParameterSet best_;  // the answer so far: by validation, or the last epoch's without one
  TrainState state_;   // state_.seconds: those before begun_
  std::string log_;
};

}  // namespace lepton
