#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "data/dataset.h"
#include "data/file_schema.h"

namespace lepton {
namespace {

constexpr int64_t kChunkBytes = 512 * 1024;

H5Type h5_type(ElementType type) {
  return type == ElementType::u8 ? H5Type::u8 : type == ElementType::f32 ? H5Type::f32 : H5Type::i32;
}

// What a split keeps in memory until the end: labels, ids, digests; and the chunk being filled.
struct Growing {
  std::vector<uint8_t> chunk;
  int64_t waiting = 0, count = 0;
  std::vector<int32_t> labels;
  std::vector<float> targets;
  std::string ids;  // ended by NUL each: no allocation a sample
  size_t longest_id = 1;
  std::vector<Digest> digests;
  bool begun = false;
};

}  // namespace

struct DatasetWriter::Impl {
  AtomicFile file;
  H5Writer out;
  Shape sample;
  ElementType type;
  int64_t targets, sample_bytes, chunk_samples;
  std::array<Growing, 3> splits;

  Impl(const std::string& target, const Shape& shape, ElementType element, int64_t target_count)
      : file(target), out(file.path(), target), sample(shape), type(element), targets(target_count) {
    sample_bytes = sample.elements() * static_cast<int64_t>(element_size(type));
    chunk_samples = std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, sample_bytes));
  }

  void flush(size_t split) {
    Growing& s = splits[split];
    if (s.waiting == 0) return;
    const std::string path = std::string("/") + kSplitNames[split] + "/x";
    if (!s.begun) {
      std::vector<int64_t> dims(static_cast<size_t>(sample.rank()));
      for (int axis = 0; axis < sample.rank(); ++axis) dims[static_cast<size_t>(axis)] = sample[axis];
      const bool compressed = type != ElementType::u8 && sample.rank() == 1;
      out.begin_rows(path, h5_type(type), dims, {.chunk_rows = chunk_samples, .deflate = compressed});
      s.begun = true;
    }
    out.append_rows(path, s.chunk, s.waiting);
    s.chunk.clear();
    s.waiting = 0;
  }

  void append(Split split, std::span<const uint8_t> x, const std::string& id, const Digest& digest) {
    if (static_cast<int64_t>(x.size()) != sample_bytes) {
      fail(Exit::bug, "{}: a sample of {} bytes, expected {}", id, x.size(), sample_bytes);
    }
    if (id.find('\0') != std::string::npos) fail(Exit::bug, "an id holds a NUL");
    Growing& s = splits[static_cast<size_t>(split)];
    s.chunk.insert(s.chunk.end(), x.begin(), x.end());
    s.ids.append(id).push_back('\0');
    s.longest_id = std::max(s.longest_id, id.size());
    s.digests.push_back(digest);
    ++s.count;
    if (++s.waiting == chunk_samples) flush(static_cast<size_t>(split));
  }

  void write_columns(size_t split) {
    Growing& s = splits[split];
    const std::string group = std::string("/") + kSplitNames[split];
    const int64_t n[] = {s.count}, n32[] = {s.count, 32}, rows[] = {s.count, targets};
    const auto* y = targets > 0 ? reinterpret_cast<const uint8_t*>(s.targets.data())
                                : reinterpret_cast<const uint8_t*>(s.labels.data());
    out.dataset(group + "/y", targets > 0 ? H5Type::f32 : H5Type::i32,
                targets > 0 ? std::span<const int64_t>(rows) : std::span<const int64_t>(n),
                {y, static_cast<size_t>(s.count * std::max<int64_t>(1, targets)) * 4},
                {.chunk_rows = 65536, .deflate = true});
    out.dataset(group + "/sha256", H5Type::u8, n32, {s.digests.data()->data(), s.digests.size() * 32},
                {.chunk_rows = 16384});
    std::vector<uint8_t> ids(s.longest_id * static_cast<size_t>(s.count));
    size_t at = 0;
    for (int64_t i = 0; i < s.count; ++i) {
      const size_t length = std::strlen(s.ids.c_str() + at);
      std::memcpy(ids.data() + static_cast<size_t>(i) * s.longest_id, s.ids.data() + at, length);
      at += length + 1;
    }
    out.dataset(group + "/id", H5Type::string, n, ids, {.chunk_rows = 65536, .deflate = true},
                static_cast<int64_t>(s.longest_id));
    out.attribute(group, "n", s.count);
  }
};

DatasetWriter::DatasetWriter(const std::string& target, const Shape& sample, ElementType type, int64_t targets)
    : impl_(std::make_unique<Impl>(target, sample, type, targets)) {}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::append(Split split, std::span<const uint8_t> x, int32_t label, const std::string& id,
                           const Digest& digest) {
  if (impl_->targets != 0) fail(Exit::bug, "{}: a class where targets are written", id);
  impl_->splits[static_cast<size_t>(split)].labels.push_back(label);
  impl_->append(split, x, id, digest);
}

void DatasetWriter::append(Split split, std::span<const uint8_t> x, std::span<const float> targets,
                           const std::string& id, const Digest& digest) {
  if (std::ssize(targets) != impl_->targets)
    fail(Exit::bug, "{}: {} targets, expected {}", id, targets.size(), impl_->targets);
  std::vector<float>& all = impl_->splits[static_cast<size_t>(split)].targets;
  all.insert(all.end(), targets.begin(), targets.end());
  impl_->append(split, x, id, digest);
}

void DatasetWriter::finish(const DatasetMeta& meta) {
  for (size_t split = 0; split < 3; ++split) {
    if (impl_->splits[split].count == 0) continue;
    impl_->flush(split);
    impl_->write_columns(split);
  }
  H5Writer& out = impl_->out;
  out.strings("/meta/classes", meta.classes);
  write_floats(out, "/meta/mean", meta.mean);
  write_floats(out, "/meta/std", meta.std);
  if (!meta.target_mean.empty()) {
    write_floats(out, "/meta/target_mean", meta.target_mean);
    write_floats(out, "/meta/target_std", meta.target_std);
  }
  out.text("/meta/recipe", meta.recipe);
  write_parts(out, meta.parts);
  out.text("/meta/provenance", meta.provenance);
  std::vector<std::string> ids, messages;
  for (const InputError& error : meta.errors) {
    ids.push_back(error.id);
    messages.push_back(error.message);
  }
  out.strings("/meta/errors/id", ids);
  out.strings("/meta/errors/message", messages);
  finish_format(out, "lepton-dataset", meta.task, out.content_sha256());
  out.close();
  impl_->file.commit();
}

}  // namespace lepton
