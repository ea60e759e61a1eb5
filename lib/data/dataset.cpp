#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "base/error.h"
#include "data/file_schema.h"

namespace lepton {
namespace {

ElementType element_of(H5Type type, const std::string& where) {
  switch (type) {
    case H5Type::u8:
      return ElementType::u8;
    case H5Type::f32:
      return ElementType::f32;
    case H5Type::i32:
      return ElementType::i32;
    default:
      fail(Exit::mismatch, "{}: samples of a type that datasets do not have", where);
  }
}

class FileSplit : public SplitData {
 public:
  FileSplit(const H5Contents& file, const std::string& group, int64_t classes)
      : file_(file), path_("/" + group + "/x") {
    const std::string where = file.name + ": /" + group;
    const H5Data& x = file.data.at(path_);
    if (x.dims.size() < 2 || x.dims.size() > 4) fail(Exit::mismatch, "{}/x: has {} axes", where, x.dims.size());
    size_ = x.rows();
    type_ = element_of(x.type, where);
    for (size_t axis = 1; axis < x.dims.size(); ++axis) shape_.push_back(x.dims[axis]);
    chunk_ = x.chunks.empty() ? std::max<int64_t>(1, size_) : x.chunk_rows;
    const auto y = file.data.find("/" + group + "/y");
    const bool regression = y != file.data.end() && y->second.type == H5Type::f32;
    if (y == file.data.end() || (!regression && y->second.type != H5Type::i32) ||
        y->second.dims != (regression ? std::vector<int64_t>{size_, classes} : std::vector<int64_t>{size_})) {
      fail(Exit::mismatch, "{}/y: expected {} class indices, or rows of {} numbers", where, size_, classes);
    }
    const auto attributes = file.attributes.find("/" + group);
    if (attributes == file.attributes.end() || !attributes->second.contains("n") ||
        attributes->second.at("n") != std::variant<int64_t, std::string>(size_)) {
      fail(Exit::mismatch, "{}: its attribute n is not the {} samples it has", where, size_);
    }
    if (regression) {
      read_targets(read_floats(file, y->first), static_cast<size_t>(classes));
    } else {
      read_labels(read_all(file, y->first), classes, where);
    }
    const auto ids = file.data.find("/" + group + "/id"), digests = file.data.find("/" + group + "/sha256");
    if (ids == file.data.end() || ids->second.dims != std::vector<int64_t>{size_} ||
        ids->second.type != H5Type::string || digests == file.data.end() ||
        digests->second.dims != std::vector<int64_t>{size_, 32} || digests->second.type != H5Type::u8) {
      fail(Exit::mismatch, "{}: expected an id and a sha256 for each of {} samples", where, size_);
    }
    ids_ = ids->first;
    id_bytes_ = ids->second.row_bytes();
    digests_path_ = digests->first;
  }

  int64_t size() const override { return size_; }
  const Shape& sample_shape() const override { return shape_; }
  ElementType type() const override { return type_; }
  int64_t chunk_samples() const override { return chunk_; }
  void read(int64_t first, int64_t count, std::span<uint8_t> bytes) const override {
    read_rows(file_, path_, first, count, bytes);
  }
  void expect(int64_t sample) const override { expect_row(file_, path_, sample); }
  const std::vector<int32_t>& labels() const override { return labels_; }
  const std::vector<float>& targets() const override { return targets_; }
  std::string id(int64_t index) const override {
    std::string text(static_cast<size_t>(id_bytes_), '\0');
    read_rows(file_, ids_, index, 1, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    text.resize(::strnlen(text.data(), text.size()));
    return text;
  }
  const Digest& digest(int64_t index) const override {
    std::call_once(digests_read_, [this] {
      const std::vector<uint8_t> raw = read_all(file_, digests_path_);
      digests_.resize(static_cast<size_t>(size_));
      if (!raw.empty()) std::memcpy(digests_.data(), raw.data(), raw.size());
    });
    return digests_[static_cast<size_t>(index)];
  }

 private:
  void read_labels(const std::vector<uint8_t>& bytes, int64_t classes, const std::string& where) {
    labels_.resize(static_cast<size_t>(size_));
    if (!bytes.empty()) std::memcpy(labels_.data(), bytes.data(), bytes.size());
    for (const int32_t label : labels_) {
      if (label < -1 || label >= classes)
        fail(Exit::mismatch, "{}/y: a class index {} of {} classes", where, label, classes);
    }
  }
  void read_targets(std::vector<float> values, size_t targets) {
    targets_ = std::move(values);
    for (size_t i = 0; i < static_cast<size_t>(size_); ++i) {
      const auto row = std::span(targets_).subspan(i * targets, targets);
      labels_.push_back(std::all_of(row.begin(), row.end(), [](float v) { return std::isnan(v); }) ? -1 : 0);
    }
  }

  const H5Contents& file_;
  std::string path_, ids_, digests_path_;  // of samples, ids and digests: a large split's stay in the file
  int64_t size_ = 0, chunk_ = 1, id_bytes_ = 0;
  Shape shape_;
  ElementType type_ = ElementType::u8;
  std::vector<int32_t> labels_;
  std::vector<float> targets_;
  mutable std::once_flag digests_read_;
  mutable std::vector<Digest> digests_;
};

}  // namespace

std::optional<Split> parse_split(std::string_view name) {
  for (size_t i = 0; i < kSplitNames.size(); ++i) {
    if (name == kSplitNames[i]) return static_cast<Split>(i);
  }
  return std::nullopt;
}

size_t element_size(ElementType type) { return type == ElementType::u8 ? 1 : 4; }

struct Dataset::Impl {
  std::string path, content;
  H5Contents file;
  DatasetMeta meta;
  std::array<std::unique_ptr<FileSplit>, 3> splits;
};

Dataset::Dataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;
Dataset::~Dataset() = default;

Dataset Dataset::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->file = read_hdf5(path);
  const H5Contents& file = impl->file;
  check_format(file, "lepton-dataset");
  impl->path = file.name;
  impl->content = root_text(file, "content_sha256");
  impl->meta.task = root_text(file, "task");
  impl->meta.classes = read_strings(file, "/meta/classes");
  impl->meta.mean = read_floats(file, "/meta/mean");
  impl->meta.std = read_floats(file, "/meta/std");
  impl->meta.target_mean = read_floats(file, "/meta/target_mean");
  impl->meta.target_std = read_floats(file, "/meta/target_std");
  impl->meta.recipe = read_text(file, "/meta/recipe");
  impl->meta.parts = read_parts(file);
  impl->meta.provenance = read_text(file, "/meta/provenance");
  const std::vector<std::string> ids = read_strings(file, "/meta/errors/id"),
                                 messages = read_strings(file, "/meta/errors/message");
  for (size_t i = 0; i < std::min(ids.size(), messages.size()); ++i) impl->meta.errors.push_back({ids[i], messages[i]});
  if (impl->meta.classes.empty()) fail(Exit::mismatch, "{}: lacks /meta/classes", file.name);
  const FileSplit* first = nullptr;
  for (size_t i = 0; i < kSplitNames.size(); ++i) {
    const std::string group = std::string("/") + kSplitNames[i];
    if (!has(file, group + "/x")) {
      if (!file.attributes.contains(group)) continue;
      fail(Exit::mismatch, "{}: {} lacks an x of a type that datasets have", file.name, group);
    }
    impl->splits[i] =
        std::make_unique<FileSplit>(file, kSplitNames[i], static_cast<int64_t>(impl->meta.classes.size()));
    if (!first) first = impl->splits[i].get();
    if (!(impl->splits[i]->sample_shape() == first->sample_shape()) || impl->splits[i]->type() != first->type()) {
      fail(Exit::mismatch, "{}: its splits hold samples of different shapes", file.name);
    }
  }
  if (!first) fail(Exit::mismatch, "{}: has no samples", file.name);
  const Shape& shape = first->sample_shape();
  const auto channels = static_cast<size_t>(shape[shape.rank() - 1]);
  for (const auto* statistic : {&impl->meta.mean, &impl->meta.std}) {
    if (!statistic->empty() && statistic->size() != channels) {
      fail(Exit::mismatch, "{}: /meta/mean and /meta/std are not for {} channels", file.name, channels);
    }
  }
  const bool regression = !first->targets().empty();
  for (const auto* statistic : {&impl->meta.target_mean, &impl->meta.target_std}) {
    if (statistic->size() != (regression ? impl->meta.classes.size() : 0)) {
      fail(Exit::mismatch, "{}: /meta/target_mean and /meta/target_std do not fit its targets", file.name);
    }
  }
  return Dataset(std::move(impl));
}

const std::string& Dataset::path() const { return impl_->path; }
const DatasetMeta& Dataset::meta() const { return impl_->meta; }
const std::string& Dataset::content_sha256() const { return impl_->content; }
const SplitData* Dataset::split(Split which) const { return impl_->splits[static_cast<size_t>(which)].get(); }

Shape Dataset::sample_shape() const {
  for (const auto& split : impl_->splits) {
    if (split) return split->sample_shape();
  }
  return {};
}

void Dataset::verify() const {
  const std::string found = lepton::content_sha256(impl_->file, is_of_dataset);
  if (found != impl_->content) {
    fail(Exit::integrity, "{}: its content has SHA-256 {}, its header says {}", impl_->path, found, impl_->content);
  }
}

}  // namespace lepton
