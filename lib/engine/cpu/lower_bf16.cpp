#include <algorithm>
#include <map>
#include <utility>

#include "engine/cpu/lower.h"

namespace lepton::cpu {
namespace {

class Casting {
 public:
  Casting(Lowered lowered, const std::function<bool(const Step&)>& pays) : from_(std::move(lowered)), pays_(pays) {
    to_.values = from_.values;
  }

  Lowered run() {
    for (Step& step : from_.steps) {
      to_.values[at(step.out)].element = place(step);
      to_.steps.push_back(step);
    }
    const Step last = to_.steps.back();
    cast(last.out, Element::fp32, last.node);
    return std::move(to_);
  }

 private:
  static size_t at(int value) { return static_cast<size_t>(value); }

  // Brings a step's inputs to the type that it wants; gives that of its output.
  Element place(Step& step) {
    switch (step.kind) {
      case StepKind::input:
        return only_such_convolutions_read(step.out) ? Element::bf16 : Element::fp32;
      case StepKind::embed:  // reads tokens
        return Element::fp32;
      case StepKind::conv:
        return cast_inputs(step, takes_bf16(step) ? Element::bf16 : Element::fp32);
      case StepKind::dense:
        return cast_inputs(step, Element::fp32);
      default:
        return cast_inputs(step, to_.values[at(step.in)].element);
    }
  }

  // A planar input is one type for all its readers.
  bool takes_bf16(const Step& conv) const {
    const LoweredValue& in = to_.values[at(conv.in)];
    return in.planar ? in.element == Element::bf16 : pays_(conv);
  }

  bool only_such_convolutions_read(int value) const {
    return std::all_of(from_.steps.begin(), from_.steps.end(), [&](const Step& step) {
      bool reads = false;
      step.over_inputs([&](int input) { reads = reads || input == value; });
      return !reads || (step.kind == StepKind::conv && pays_(step));
    });
  }

  Element cast_inputs(Step& step, Element element) {
    step.in = cast(step.in, element, step.node);
    if (step.skip >= 0) step.skip = cast(step.skip, element, step.node);
    for (int& other : step.others) other = cast(other, element, step.node);
    return element;
  }

  // The value in that type, by a step of its own where it is not; one such step does for all its readers.
  int cast(int value, Element element, NodeId reader) {
    if (to_.values[at(value)].element == element) return value;
    const auto [place, added] = casts_.try_emplace(value, static_cast<int>(to_.values.size()));
    if (!added) return place->second;
    LoweredValue out = to_.values[at(value)];
    out.element = element;
    to_.values.push_back(out);
    Step step{StepKind::cast, reader};
    step.in = value;
    step.out = place->second;
    to_.steps.push_back(step);
    return place->second;
  }

  Lowered from_, to_;
  const std::function<bool(const Step&)>& pays_;
  std::map<int, int> casts_;
};

}  // namespace

Lowered stored_as_bf16(Lowered lowered, const std::function<bool(const Step&)>& pays) {
  return Casting(std::move(lowered), pays).run();
}

}  // namespace lepton::cpu
