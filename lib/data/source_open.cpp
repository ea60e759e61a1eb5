// What an input is, by its content: a folder, an archive, half of an IDX pair, a CIFAR batch, an image or a recording.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "data/source_kinds.h"
#include "io/audio.h"
#include "io/cifar.h"
#include "io/gzip.h"
#include "io/idx.h"
#include "io/image.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

enum class FileKind { archive, idx_images, idx_labels, cifar, sample, unknown };

struct OpenFile {
  FileDescriptor fd;
  FileKind kind = FileKind::unknown;
};

OpenFile open_file(const std::string& path) {
  OpenFile file{open_input(path), FileKind::unknown};
  const std::vector<uint8_t> head = peek(file.fd, 512, path);
  if (looks_like_tar(head) || looks_like_zip(head) || looks_compressed(head)) {
    file.kind = FileKind::archive;
  } else if (const auto extents = idx_extents(head)) {
    file.kind = extents->size() == 1 ? FileKind::idx_labels : FileKind::idx_images;
  } else if (image_format(head) != ImageFormat::unknown || looks_like_audio(head)) {
    file.kind = FileKind::sample;
  } else if (is_cifar_batch(file.fd, path)) {
    file.kind = FileKind::cifar;
  }
  return file;
}

// What the two files of an IDX pair have in common: "train-images-idx3-ubyte.gz" and "train-labels-idx1-ubyte".
std::string pair_key(const std::string& path) {
  std::string key = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;
  const size_t name = key.rfind('/') + 1;  // npos + 1 is 0
  for (const auto& [from, to] :
       {std::pair{"images", "*"}, {"labels", "*"}, {"idx3", "#"}, {"idx4", "#"}, {"idx1", "#"}}) {
    const std::string_view word = from;
    if (const size_t at = key.find(word, name); at != std::string::npos) key.replace(at, word.size(), to);
  }
  return key;
}

struct IdxHalf {
  std::string path;
  FileDescriptor fd;
  std::optional<Split> split;
};

class Opener {
 public:
  explicit Opener(const SourceLimits& limits) : limits_(limits) {}

  void open(const InputSpec& input) {
    std::error_code ignored;
    if (input.path != "-" && fs::is_directory(input.path, ignored)) return open_folder(input);
    OpenFile file = open_file(input.path);
    if (!open_array(input, file)) {
      if (file.kind == FileKind::sample) {
        samples_[input.split ? static_cast<int>(*input.split) : -1].push_back(input.path);
      } else if (file.kind == FileKind::archive) {
        add(archive_source(std::move(file.fd), input.path, limits_), input, {input.path});
        sources_.back()->named = split_of_file(input.path);
      } else {
        fail(Exit::no_input,
             "{}: is neither a folder, an archive (tar, zip), an IDX file, a CIFAR-10 batch, an image nor a recording",
             input.path);
      }
    }
  }

  std::vector<std::unique_ptr<Source>> finish() {
    pair_up();
    for (auto& [split, paths] : samples_) {
      add(open_list(paths, limits_), {"", split < 0 ? std::nullopt : std::optional(static_cast<Split>(split))}, {});
    }
    return std::move(sources_);
  }

 private:
  void add(std::unique_ptr<Source> source, const InputSpec& input, std::vector<std::string> files) {
    source->name = input.path;
    source->split = input.split;
    source->files = std::move(files);
    sources_.push_back(std::move(source));
  }

  // IDX and CIFAR files; false if the file is something else.
  bool open_array(const InputSpec& input, OpenFile& file) {
    const std::optional<Split> split = input.split ? input.split : split_of_file(input.path);
    switch (file.kind) {
      case FileKind::idx_images:
        idx_images_.push_back({input.path, std::move(file.fd), split});
        return true;
      case FileKind::idx_labels:
        idx_labels_[pair_key(input.path)] = {input.path, std::move(file.fd), split};
        return true;
      case FileKind::cifar:
        add(cifar_source(std::move(file.fd), input.path, cifar_names(input.path)), {input.path, cifar_split(input)},
            {input.path});
        return true;
      default:
        return false;
    }
  }

  static std::optional<Split> cifar_split(const InputSpec& input) {
    if (input.split) return input.split;
    if (base_name(input.path).starts_with("data_batch")) return Split::train;
    return split_of_file(input.path);
  }

  // A folder of IDX files or CIFAR batches is taken as these; every other one as class folders.
  void open_folder(const InputSpec& input) {
    std::vector<std::string> files;
    bool folders = false;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(input.path, error)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) folders = true;
      if (entry.is_regular_file(ignored) && entry.path().filename().native().front() != '.') {
        files.push_back(entry.path().native());
      }
    }
    if (error) fail(Exit::no_input, "{}: cannot read the folder: {}", input.path, error.message());
    std::sort(files.begin(), files.end());
    bool arrays = false;
    if (!folders && files.size() <= kMostArrayFiles) {
      for (const std::string& path : files) {
        OpenFile file = open_file(path);
        arrays = open_array({path, input.split}, file) || arrays;
      }
    }
    if (arrays) return;
    add(folder_source(input.path, limits_), input, {});
    sources_.back()->named = split_of_folder(base_name(input.path));
  }

  static std::vector<std::string> cifar_names(const std::string& batch) {
    const fs::path meta = fs::path(batch).parent_path() / "batches.meta.txt";
    std::error_code ignored;
    if (!fs::is_regular_file(meta, ignored)) return {};
    const std::vector<uint8_t> bytes = read_file(meta.native(), 1 << 16);
    std::vector<std::string> names = words({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return names.size() == kCifarClasses ? names : std::vector<std::string>{};
  }

  void pair_up() {
    for (IdxHalf& images : idx_images_) {
      const std::string key = pair_key(images.path);
      if (!idx_labels_.contains(key)) find_labels_beside(images.path, key);
      const auto labels = idx_labels_.find(key);
      if (labels == idx_labels_.end()) {
        fail(Exit::no_input, "{}: no labels found: expected an IDX file named like it with 'labels' for 'images'",
             images.path);
      }
      add(idx_source(std::move(images.fd), std::move(labels->second.fd), images.path, labels->second.path),
          {images.path, images.split}, {images.path, labels->second.path});
      idx_labels_.erase(labels);
    }
    if (!idx_labels_.empty()) {
      fail(Exit::no_input, "{}: these labels belong to no images given", idx_labels_.begin()->second.path);
    }
  }

  void find_labels_beside(const std::string& images, const std::string& key) {
    std::error_code ignored;
    const fs::path parent = fs::path(images).parent_path();
    for (const fs::directory_entry& entry : fs::directory_iterator(parent.empty() ? "." : parent, ignored)) {
      const std::string path = parent.empty() ? entry.path().filename().native() : entry.path().native();
      std::error_code unreadable;
      if (path == images || pair_key(path) != key || !entry.is_regular_file(unreadable)) continue;
      OpenFile file = open_file(path);
      if (file.kind == FileKind::idx_labels) idx_labels_[key] = {path, std::move(file.fd), std::nullopt};
    }
  }

  static constexpr size_t kMostArrayFiles = 64;  // a folder with more is no set of IDX files or batches
  SourceLimits limits_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<IdxHalf> idx_images_;
  std::map<std::string, IdxHalf> idx_labels_;
  std::map<int, std::vector<std::string>> samples_;  // single files by split, -1 = none
};

}  // namespace

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::optional<Split> split_of_folder(std::string_view name) {
  if (name == "train" || name == "training") return Split::train;
  if (name == "val" || name == "valid" || name == "validation" || name == "dev") return Split::val;
  if (name == "test" || name == "testing") return Split::test;
  return std::nullopt;
}

std::optional<Split> split_of_file(std::string_view path) {
  std::optional<Split> found;
  const std::string name = base_name(path);
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find_first_of(".-_", begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    const std::optional<Split> split = part == "t10k" ? Split::test : split_of_folder(part);
    if (split && found && *split != *found) return std::nullopt;
    if (split) found = split;
    begin = end + 1;
  }
  return found;
}

std::vector<std::unique_ptr<Source>> open_sources(const std::vector<InputSpec>& inputs, const SourceLimits& limits) {
  Opener opener(limits);
  for (const InputSpec& input : inputs) opener.open(input);
  return opener.finish();
}

}  // namespace lepton
