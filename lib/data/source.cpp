#include "data/source.h"

#include <unordered_map>

#include "base/error.h"
#include "data/source_kinds.h"
#include "io/walk.h"

namespace lepton {
namespace {

// Loose files: below a folder, or listed.
class FileSource : public Source {
 public:
  FileSource(FileTree tree, GroupKind kind, int64_t max_bytes)
      : tree_(std::move(tree)), kind_(kind), max_bytes_(max_bytes) {
    for (const WalkProblem& problem : tree_.problems()) problems.push_back({problem.path, problem.message});
    hidden = tree_.hidden();
    items_are_files = true;
  }
  void rewind() override { position_ = 0; }
  bool next(Item& item) override {
    if (position_ == tree_.size()) return false;
    item.index = position_;
    item.id = tree_.path(position_);
    item.group = tree_.folder(position_);
    item.raw = {};
    item.problem.clear();
    ++position_;
    return true;
  }
  void load(Item& item) const override {
    try {
      tree_.read(item.index, item.bytes, max_bytes_);
    } catch (const Error& error) {
      item.problem = error.what();
    }
  }
  int64_t count() const override { return tree_.size(); }
  GroupKind kind() const override { return kind_; }
  const std::vector<std::string>& groups() const override { return tree_.folders(); }

 private:
  FileTree tree_;
  GroupKind kind_;
  int64_t max_bytes_, position_ = 0;
};

bool is_hidden_member(std::string_view path) {
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.starts_with('.') || part == "__MACOSX" || part == "Thumbs.db" || part == "desktop.ini") return true;
    begin = end + 1;
  }
  return false;
}

class ArchiveSource : public Source {
 public:
  ArchiveSource(FileDescriptor fd, const std::string& path, const SourceLimits& limits)
      : reader_(std::move(fd), path, {limits.max_members, limits.max_file_bytes}) {}
  void rewind() override {
    reader_.rewind();
    position_ = 0;
    hidden = 0;
  }
  bool next(Item& item) override {
    do {
      if (!reader_.next(member_)) return false;
      if (!is_hidden_member(member_.path)) break;
      ++hidden;
    } while (true);
    item.index = position_++;
    item.id = member_.path;
    item.raw = {};
    item.problem = member_.problem;
    item.bytes.swap(member_.bytes);
    const size_t slash = member_.path.rfind('/');
    item.group = group_of(slash == std::string::npos ? "" : member_.path.substr(0, slash));
    return true;
  }
  GroupKind kind() const override { return GroupKind::wrapped_folders; }
  const std::vector<std::string>& groups() const override { return folders_; }

 private:
  int32_t group_of(const std::string& folder) {
    const auto [it, added] = numbers_.try_emplace(folder, static_cast<int32_t>(folders_.size()));
    if (added) folders_.push_back(folder);
    return it->second;
  }

  ArchiveReader reader_;
  ArchiveMember member_;
  std::vector<std::string> folders_;
  std::unordered_map<std::string, int32_t> numbers_;
  int64_t position_ = 0;
};

}  // namespace

std::unique_ptr<Source> folder_source(const std::string& path, const SourceLimits& limits) {
  auto source = std::make_unique<FileSource>(FileTree::walk(path), GroupKind::folders, limits.max_file_bytes);
  source->root = path.ends_with('/') ? path : path + "/";
  return source;
}

std::unique_ptr<Source> open_list(const std::vector<std::string>& paths, const SourceLimits& limits) {
  return std::make_unique<FileSource>(FileTree::list(paths), GroupKind::none, limits.max_file_bytes);
}

std::unique_ptr<Source> archive_source(FileDescriptor fd, const std::string& name, const SourceLimits& limits) {
  return std::make_unique<ArchiveSource>(std::move(fd), name, limits);
}

}  // namespace lepton
