#include <nlohmann/json.hpp>

#include "train/trainer.h"

namespace lepton {

std::string EpochRecord::json() const {
  nlohmann::ordered_json j;
  j["epoch"] = epoch;
  j["train_loss"] = train_loss;
  if (train_accuracy) j["train_accuracy"] = *train_accuracy;
  if (val_loss) j["val_loss"] = *val_loss;
  if (val_accuracy) j["val_accuracy"] = *val_accuracy;
  if (val_rmse) j["val_rmse"] = *val_rmse;
  j["lr"] = lr;
  j["seconds"] = seconds;
  j["images_per_second"] = images_per_second;
  j["best"] = best;
  if (!note.empty()) j["note"] = note;
  return j.dump();
}

}  // namespace lepton
