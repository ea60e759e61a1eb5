#pragma once
// Class and split of every group of every source, and the one list of classes.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/prep.h"

namespace lepton {

struct GroupPlace {
  int32_t label = -1;          // class; -1: none
  bool in_class = false;       // it lies in a class folder, with images or without
  std::optional<Split> split;  // given; nothing: to be divided
};

struct Places {
  std::vector<std::vector<GroupPlace>> groups;  // of each source
  std::vector<std::string> classes;             // in their final order
  std::vector<int32_t> listed;                  // class of each label of the list given
};

// images[source][group] says whether a group holds any image. Error(usage) or Error(no_input) for a layout that is not
// clear, or names that --class-names lacks.
Places place_groups(const std::vector<std::unique_ptr<Source>>& sources, const std::vector<std::vector<bool>>& images,
                    const PrepOptions& options, const std::vector<std::string>& listed);

// The classes that --class-names or the known recipe fixes; empty: those that are found.
const std::vector<std::string>& wanted_classes(const PrepOptions& options);
// The classes in their final order: sorted, or as they are wanted. For one that is not, Error(usage) where
// --class-names, Error(mismatch) where the known recipe lacks it.
std::vector<std::string> final_classes(std::vector<std::string> found, const PrepOptions& options);

}  // namespace lepton
