// Calibration JSON of a model: any text is one that writes itself back unchanged, or Error(mismatch).
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "predict/decision.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lepton::Model model;
  model.classes = {"no", "yes"};
  model.calibration.assign(reinterpret_cast<const char*>(data), size);
  try {
    model.calibration = lepton::calibration_json(lepton::read_calibration(model));
    if (lepton::calibration_json(lepton::read_calibration(model)) != model.calibration) std::abort();
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::mismatch) std::abort();
  }
  return 0;
}
