// Documents: files in class folders, each one text.
#include <utility>

#include "base/error.h"
#include "data/prep_labels.h"
#include "data/prep_place.h"
#include "data/prep_regex.h"
#include "data/text_records.h"

namespace lepton {
namespace {

class DocumentRecords : public LabelledRecords {
 public:
  DocumentRecords(std::vector<std::unique_ptr<Source>> sources, const PrepOptions& options,
                  std::function<void(const std::string&)> warn)
      : sources_(std::move(sources)), labels_(options), key_("--split-key", options.split_key), warn_(std::move(warn)) {
    std::vector<std::vector<bool>> used;
    for (const auto& source : sources_) {
      if (source->kind() == GroupKind::none && !labels_.given()) {
        fail(Exit::usage,
             "a list of files has no class folders: give their labels with --labels FILE (id<TAB>label) or "
             "--label-regex");
      }
      if (source->kind() == GroupKind::classes)
        fail(Exit::no_input, "{}: holds no class folders of texts", source->name);
      source->rewind();
      std::vector<bool> groups;
      for (Item item; source->next(item);) {
        groups.resize(std::max(groups.size(), static_cast<size_t>(item.group) + 1), false);
        groups[static_cast<size_t>(item.group)] = true;
      }
      groups.resize(source->groups().size(), false);
      used.push_back(std::move(groups));
    }
    places_ = place_groups(sources_, used, options, {});
    rewind();
  }
  void rewind() override {
    for (const auto& source : sources_) source->rewind();
    at_ = 0;
  }
  bool next(LabelledRecord& record) override {
    while (at_ < sources_.size() && !sources_[at_]->next(item_)) ++at_;
    if (at_ == sources_.size()) {
      if (!std::exchange(warned_, true)) labels_.warn_of_unused(warn_);
      return false;
    }
    sources_[at_]->load(item_);
    const GroupPlace& place = places_.groups[at_][static_cast<size_t>(item_.group)];
    record = {};
    record.id = item_.id;
    record.raw.assign(item_.bytes.begin(), item_.bytes.end());
    record.split = place.split;
    record.problem = item_.problem;
    if (!key_.empty()) record.key = key_.require(item_.id);
    if (labels_.given()) {
      const int32_t label = labels_.find(item_.id);
      if (label >= 0) record.label = labels_.classes()[static_cast<size_t>(label)];
      if (label < 0 && record.problem.empty()) record.problem = labels_.why_none();
    } else if (place.label >= 0) {
      record.label = places_.classes[static_cast<size_t>(place.label)];
    } else if (record.problem.empty()) {
      record.problem = "lies in no class folder";
    }
    return true;
  }

 private:
  std::vector<std::unique_ptr<Source>> sources_;
  ToldLabels labels_;
  Regex key_;
  std::function<void(const std::string&)> warn_;
  bool warned_ = false;
  Places places_;
  Item item_;
  size_t at_ = 0;
};

}  // namespace

std::unique_ptr<LabelledRecords> document_records(std::vector<std::unique_ptr<Source>> sources,
                                                  const PrepOptions& options,
                                                  const std::function<void(const std::string&)>& warn) {
  return std::make_unique<DocumentRecords>(std::move(sources), options, warn);
}

}  // namespace lepton
