#include "predict/answer_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

#include "base/error.h"
#include "data/file_schema.h"
#include "metrics/metrics.h"

namespace lepton {
namespace {

constexpr int64_t kChunkBytes = 64 * 1024;
constexpr size_t kLineBytes = size_t{1} << 16;

std::span<const uint8_t> bytes_of(const void* data, size_t size) { return {static_cast<const uint8_t*>(data), size}; }
std::span<const uint8_t> bytes_of(const std::string& text) { return bytes_of(text.data(), text.size()); }

// A growing data set whose rows are gathered until they fill a chunk.
class Column {
 public:
  Column(H5Writer& out, std::string path, H5Type type, const std::vector<int64_t>& row_dims, int64_t length = 1)
      : out_(out), path_(std::move(path)), row_(static_cast<int64_t>(h5_type_size(type)) * length) {
    for (const int64_t extent : row_dims) row_ *= extent;
    chunk_rows_ = std::max<int64_t>(1, kChunkBytes / row_);
    out_.begin_rows(path_, type, row_dims, {.chunk_rows = chunk_rows_, .deflate = true}, length);
  }
  void add(std::span<const uint8_t> row) {
    waiting_.insert(waiting_.end(), row.begin(), row.end());
    waiting_.resize(static_cast<size_t>(++rows_ * row_));  // a shorter text is padded
    if (rows_ == chunk_rows_) flush();
  }
  void flush() {
    if (rows_ > 0) out_.append_rows(path_, waiting_, rows_);
    waiting_.clear();
    rows_ = 0;
  }

 private:
  H5Writer& out_;
  std::string path_;
  std::vector<uint8_t> waiting_;
  int64_t row_, chunk_rows_ = 1, rows_ = 0;
};

// Texts kept on disk until the longest is known, since all of a data set have one length.
class Texts {
 public:
  void add(const std::string& text) {
    waiting_.append(text).push_back('\0');
    longest_ = std::max(longest_, std::ssize(text));
    if (waiting_.size() >= kLineBytes) flush();
  }
  void write(H5Writer& out, const std::string& path) {
    flush();
    Column column(out, path, H5Type::string, {}, longest_);
    std::vector<uint8_t> buffer(kLineBytes);
    std::vector<uint8_t> text;
    for (int64_t at = 0; at < size_;) {
      const auto part = std::span(buffer).first(static_cast<size_t>(std::min(size_ - at, std::ssize(buffer))));
      read_at(spool_.get(), part, at, "spool of names");
      at += std::ssize(part);
      for (const uint8_t byte : part) {
        if (byte != 0) {
          text.push_back(byte);
          continue;
        }
        column.add(text);
        text.clear();
      }
    }
    column.flush();
  }

 private:
  void flush() {
    if (waiting_.empty()) return;
    if (!spool_) spool_ = unnamed_file();
    write_all(spool_.get(), bytes_of(waiting_), "spool of names");
    size_ += std::ssize(waiting_);
    waiting_.clear();
  }

  FileDescriptor spool_;
  std::string waiting_;
  int64_t size_ = 0, longest_ = 1;
};

std::vector<int64_t> row_dims(const Shape& shape) {
  std::vector<int64_t> dims(static_cast<size_t>(shape.rank()));
  for (int axis = 0; axis < shape.rank(); ++axis) dims[static_cast<size_t>(axis)] = shape[axis];
  return dims;
}

}  // namespace

void LineFile::write(const std::string& lines) {
  waiting_ += lines;
  if (waiting_.size() >= kLineBytes) flush();
}

void LineFile::flush() {
  if (!out_) out_.reset(::open(file_.path().c_str(), O_WRONLY | O_CLOEXEC));
  if (!out_) fail(Exit::output, "{}: {}", file_.target(), std::strerror(errno));
  write_all(out_.get(), bytes_of(waiting_), file_.target());
  waiting_.clear();
}

void LineFile::finish() {
  flush();
  file_.commit();
}

struct AnswerFile::Impl {
  AtomicFile file;
  H5Writer out;
  const Model& model;
  bool embeds;
  Decision decision;
  std::vector<float> unknown;  // the row of an input that could not be read
  Column values;
  std::optional<Column> labels;
  Column error_rows;
  Texts ids, error_ids, messages;
  int64_t count = 0;

  Impl(const std::string& target, const Predictor& predictor, const Shape& row, bool layer, const Decision& how)
      : file(target),
        out(file.path(), target),
        model(predictor.model),
        embeds(layer),
        decision(how),
        unknown(static_cast<size_t>(row.elements()), std::numeric_limits<float>::quiet_NaN()),
        values(out,
               embeds                      ? "/embedding"
               : model.target_mean.empty() ? "/probabilities"
                                           : "/values",
               H5Type::f32, row_dims(row)),
        error_rows(out, "/meta/errors/row", H5Type::i64, {}) {
    if (!embeds && model.target_mean.empty()) labels.emplace(out, "/label", H5Type::i32, std::vector<int64_t>{});
  }

  void put(const std::vector<float>& row, int32_t label) {
    values.add(bytes_of(row.data(), row.size() * sizeof(float)));
    if (labels) labels->add(bytes_of(&label, sizeof label));
  }
};

AnswerFile::AnswerFile(const std::string& target, const Predictor& predictor, NodeId node, const std::string& layer,
                       const Decision& decision) {
  const Node& asked = predictor.graph.nodes[static_cast<size_t>(node)];
  impl_ = std::make_unique<Impl>(target, predictor, asked.shape, !layer.empty(), decision);
  if (!layer.empty()) impl_->out.attribute("/", "layer", asked.name);
}

AnswerFile::~AnswerFile() = default;

void AnswerFile::add(const Answer& answer) {
  Impl& f = *impl_;
  f.ids.add(answer.input);
  if (!answer.error.empty()) {
    f.error_rows.add(bytes_of(&f.count, sizeof f.count));
    f.error_ids.add(answer.input);
    f.messages.add(answer.error);
    f.put(f.unknown, -1);
  } else if (!f.labels) {
    f.put(answer.values, -1);
  } else {
    const std::vector<float> probabilities = softmax(answer.values, std::ssize(answer.values), f.decision.temperature);
    f.put(probabilities, decide(f.decision, probabilities));
  }
  ++f.count;
}

void AnswerFile::finish() {
  Impl& f = *impl_;
  f.values.flush();
  if (f.labels) f.labels->flush();
  f.error_rows.flush();
  f.ids.write(f.out, "/id");
  f.error_ids.write(f.out, "/meta/errors/id");
  f.messages.write(f.out, "/meta/errors/message");
  f.out.strings("/meta/classes", f.model.classes);
  f.out.attribute("/", "model", f.model.content_sha256);
  finish_format(f.out, "lepton-predictions", f.model.task, f.out.content_sha256());
  f.out.close();
  f.file.commit();
}

}  // namespace lepton
