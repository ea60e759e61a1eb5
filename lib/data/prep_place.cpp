#include "data/prep_place.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/labels.h"

namespace lepton {
namespace {

using Names = std::unordered_map<std::string, int32_t>;  // class name -> provisional number

// Groups that are numbers or names of classes themselves.
std::vector<Placement> place_classes(const Source& source, const std::vector<bool>& images,
                                     const PrepOptions& options) {
  const std::vector<std::string>& class_names = wanted_classes(options);
  std::vector<Placement> placements;
  for (size_t group = 0; group < source.groups().size(); ++group) {
    std::string name = source.groups()[group];
    const auto number = parse_int(name);
    if (number && !class_names.empty()) {
      if (*number < std::ssize(class_names)) {
        name = class_names[static_cast<size_t>(*number)];
      } else if (images[group]) {
        const bool given = !options.class_names.empty();
        fail(given ? Exit::usage : Exit::mismatch, "{} has {} {}, but {} has label {}",
             given ? "--class-names" : options.known->file, class_names.size(), given ? "names" : "classes",
             source.name, *number);
      }
    }
    placements.push_back({name, std::nullopt});
  }
  return placements;
}

std::vector<Placement> placements_of(const Source& source, const std::vector<bool>& images,
                                     const PrepOptions& options) {
  const bool wrapped = source.kind() == GroupKind::wrapped_folders;
  const bool folders = source.kind() == GroupKind::folders || wrapped;
  if (!options.labels.empty() || !options.label_regex.empty()) {
    return folders ? place_splits(source.groups(), images, wrapped) : std::vector<Placement>(source.groups().size());
  }
  return folders ? place_folders(source.groups(), images, wrapped, source.name)
                 : place_classes(source, images, options);
}

std::vector<GroupPlace> place_source(const Source& source, const std::vector<bool>& images, const PrepOptions& options,
                                     Names& names) {
  std::vector<GroupPlace> places;
  const std::vector<Placement> placements = placements_of(source, images, options);
  for (size_t group = 0; group < placements.size(); ++group) {
    const Placement& placement = placements[group];
    if (placement.split && source.split && *placement.split != *source.split) {
      fail(Exit::usage, "{}: was given as {}, but holds a folder '{}' of its own", source.name,
           kSplitNames[static_cast<size_t>(*source.split)], source.groups()[group]);
    }
    GroupPlace place;
    place.split = source.split ? source.split : placement.split ? placement.split : source.named;
    place.in_class = !placement.class_name.empty();
    if (images[group] && !placement.class_name.empty()) {
      place.label = names.try_emplace(placement.class_name, static_cast<int32_t>(names.size())).first->second;
    }
    places.push_back(place);
  }
  return places;
}

}  // namespace

const std::vector<std::string>& wanted_classes(const PrepOptions& options) {
  static const std::vector<std::string> kNone;
  if (!options.class_names.empty()) return options.class_names;
  return options.known != nullptr && !options.known->regression() ? options.known->classes : kNone;
}

std::vector<std::string> final_classes(std::vector<std::string> found, const PrepOptions& options) {
  const std::vector<std::string>& wanted = wanted_classes(options);
  found = sorted_classes(std::move(found));
  if (wanted.empty()) return found;
  for (const std::string& name : found) {
    if (std::find(wanted.begin(), wanted.end(), name) != wanted.end()) continue;
    const std::string near = nearest(name, wanted), hint = near.empty() ? "" : " (near: '" + near + "')";
    if (!options.class_names.empty()) fail(Exit::usage, "--class-names lacks the class '{}'{}", name, hint);
    fail(Exit::mismatch,
         "{} does not know the class '{}'{}; --class-names A,B,... gives the new data classes of its own",
         options.known->file, name, hint);
  }
  return wanted;
}

Places place_groups(const std::vector<std::unique_ptr<Source>>& sources, const std::vector<std::vector<bool>>& images,
                    const PrepOptions& options, const std::vector<std::string>& listed) {
  Places places;
  Names names;
  for (const std::string& name : listed) names.try_emplace(name, static_cast<int32_t>(names.size()));
  for (size_t s = 0; s < sources.size(); ++s) {
    places.groups.push_back(place_source(*sources[s], images[s], options, names));
  }
  std::vector<std::string> found;
  for (const auto& [name, number] : names) found.push_back(name);
  places.classes = final_classes(std::move(found), options);
  Names final_numbers;
  for (const std::string& name : places.classes) {
    final_numbers.try_emplace(name, static_cast<int32_t>(final_numbers.size()));
  }
  std::vector<int32_t> order(names.size());
  for (const auto& [name, number] : names) order[static_cast<size_t>(number)] = final_numbers.at(name);
  for (auto& groups : places.groups) {
    for (GroupPlace& place : groups) {
      if (place.label >= 0) place.label = order[static_cast<size_t>(place.label)];
    }
  }
  places.listed.assign(order.begin(), order.begin() + std::ssize(listed));
  return places;
}

}  // namespace lepton
