#pragma once
// The dataset file (FORMATS: lepton-dataset, version 1): reading by chunk addresses, writing as samples come.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "io/sha256.h"

namespace lepton {

enum class Split { train = 0, val = 1, test = 2 };
constexpr std::array<const char*, 3> kSplitNames = {"train", "val", "test"};
std::optional<Split> parse_split(std::string_view name);
enum class ElementType { u8, f32, i32 };
size_t element_size(ElementType type);

struct InputError {
  std::string id, message;
};

// Binary parts of a recipe, such as a tokenizer, by name.
using RecipeParts = std::map<std::string, std::vector<uint8_t>>;

// Everything of a dataset but its samples.
struct DatasetMeta {
  std::string task = "image-classification";
  std::vector<std::string> classes;  // order = class index, the union over all splits; regression: names of targets
  std::vector<float> mean, std;      // per channel, band or column, in stored units, from train only
  std::vector<float> target_mean, target_std;  // regression: per target, from train only
  std::string recipe;                          // JSON
  RecipeParts parts;
  std::string provenance;          // JSON
  std::vector<InputError> errors;  // every input skipped, and why
};

// Samples of one split. Reading is thread-safe (pread) and makes no library call.
class SplitData {
 public:
  virtual ~SplitData() = default;
  virtual int64_t size() const = 0;
  virtual const Shape& sample_shape() const = 0;
  virtual ElementType type() const = 0;
  virtual int64_t chunk_samples() const = 0;  // samples in a chunk; reads aligned to it are fastest
  // Raw bytes of samples [first, first+count), Fletcher-32 verified; Error(integrity).
  virtual void read(int64_t first, int64_t count, std::span<uint8_t> bytes) const = 0;
  virtual void expect(int64_t) const {}                    // the chunk of this sample is read soon: a hint
  virtual const std::vector<int32_t>& labels() const = 0;  // regression: 0, or -1 without a target
  virtual const std::vector<float>& targets() const = 0;   // regression: [n, targets] as stored, NaN = none; else empty
  virtual std::string id(int64_t index) const = 0;
  virtual const Digest& digest(int64_t index) const = 0;  // of the source bytes; all are read when one is asked for
};

class Dataset {
 public:
  // path "-" spools standard input. integrity (6) for what is not HDF5 or damaged, mismatch (7) for what is not ours.
  static Dataset open(const std::string& path);
  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;
  ~Dataset();
  const std::string& path() const;
  const DatasetMeta& meta() const;
  const std::string& content_sha256() const;  // hex
  const SplitData* split(Split which) const;  // nullptr if absent
  Shape sample_shape() const;
  void verify() const;  // reads everything and compares content_sha256 (prep --check)

 private:
  struct Impl;
  explicit Dataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Writes a dataset. Per split: samples are appended in their final order; memory stays a constant plus what
// labels, ids and digests need. Not thread-safe.
class DatasetWriter {
 public:
  // targets: how many numbers each sample has instead of a class (regression); 0 = classes.
  DatasetWriter(const std::string& target, const Shape& sample, ElementType type, int64_t targets = 0);
  ~DatasetWriter();  // without finish(): leaves nothing
  void append(Split split, std::span<const uint8_t> x, int32_t label, const std::string& id, const Digest& digest);
  // Regression: [targets] numbers, NaN = none.
  void append(Split split, std::span<const uint8_t> x, std::span<const float> targets, const std::string& id,
              const Digest& digest);
  void finish(const DatasetMeta& meta);  // statistics, classes, errors, content hash, complete=1, rename

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lepton
