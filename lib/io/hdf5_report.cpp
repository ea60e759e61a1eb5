#include "io/hdf5_report.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace lepton {

void ReportWriter::number(int64_t value) {
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
}

void ReportWriter::text(std::string_view value) {
  number(static_cast<int64_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
}

namespace {

class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  int64_t number(int64_t least, int64_t most) {
    need(8);
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value |= static_cast<uint64_t>(bytes_[at_ + static_cast<size_t>(i)]) << (8 * i);
    at_ += 8;
    const auto result = static_cast<int64_t>(value);
    if (result < least || result > most) nonsense();
    return result;
  }
  std::span<const uint8_t> take(int64_t count) {
    need(count);
    const auto taken = bytes_.subspan(at_, static_cast<size_t>(count));
    at_ += static_cast<size_t>(count);
    return taken;
  }
  std::string text() {
    const auto taken = take(number(0, INT64_MAX));
    return {taken.begin(), taken.end()};
  }
  [[noreturn]] void nonsense() const {
    fail(Exit::integrity, "{}: damaged: HDF5's own reader could not make sense of it", name_);
  }

 private:
  void need(int64_t count) const {
    if (count < 0 || static_cast<uint64_t>(count) > bytes_.size() - at_) nonsense();
  }
  std::span<const uint8_t> bytes_;
  const std::string& name_;
  size_t at_ = 0;
};

// Names come from the file: nothing in them may steer a terminal or flood it.
std::string printable(std::string text) {
  constexpr size_t kMost = 300;
  if (text.size() > kMost) text.resize(kMost);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

constexpr int64_t kMostRank = 5;
constexpr int64_t kMostString = 1 << 28;
constexpr int64_t kMostExtent = int64_t{1} << 40;

H5Data parse_shape(Reader& in) {
  H5Data data;
  data.type = static_cast<H5Type>(in.number(0, static_cast<int64_t>(H5Type::string)));
  data.string_length = in.number(1, kMostString);
  const int64_t rank = in.number(0, kMostRank);
  // Zero extents count as one here: no partial product may overflow later either.
  int64_t total = data.string_length * static_cast<int64_t>(h5_type_size(data.type));
  for (int64_t axis = 0; axis < rank; ++axis) {
    data.dims.push_back(in.number(0, kMostExtent));
    const int64_t extent = std::max<int64_t>(1, data.dims.back());
    if (total > kMostExtent * 8 / extent) in.nonsense();
    total *= extent;
  }
  return data;
}

void parse_chunks(Reader& in, int64_t file_bytes, H5Data& data) {
  data.fletcher = in.number(0, 1) == 1;
  data.chunk_rows = in.number(1, kMostExtent);
  const int64_t count = in.number(1, kMostExtent);
  if (count != (data.rows() + data.chunk_rows - 1) / data.chunk_rows) in.nonsense();
  if (data.row_bytes() > 0 && data.chunk_rows > file_bytes / data.row_bytes()) in.nonsense();
  const int64_t bytes = data.chunk_rows * data.row_bytes(), checksum = data.fletcher ? 4 : 0;
  for (int64_t i = 0; i < count; ++i) {
    H5Chunk chunk{i * data.chunk_rows, in.number(0, file_bytes), bytes};
    if (chunk.bytes + checksum > file_bytes - chunk.offset) in.nonsense();
    data.chunks.push_back(chunk);
  }
}

}  // namespace

int64_t H5Data::row_bytes() const {
  int64_t product = string_length * static_cast<int64_t>(h5_type_size(type));
  for (size_t axis = 1; axis < dims.size(); ++axis) product *= dims[axis];
  return product;
}

void parse_report(std::span<const uint8_t> report, int64_t file_bytes, H5Contents& contents) {
  Reader in(report, contents.name);
  for (;;) {
    const auto tag = static_cast<ReportTag>(in.number(0, static_cast<int64_t>(ReportTag::end)));
    if (tag == ReportTag::end) return;
    if (tag == ReportTag::refused) {
      const int64_t status = in.number(0, 255);
      const std::string why = printable(in.text());
      fail(status == static_cast<int>(Exit::mismatch) ? Exit::mismatch : Exit::integrity, "{}: {}", contents.name, why);
    }
    const std::string path = in.text();
    if (tag == ReportTag::string_attribute) {
      const std::string name = in.text();
      contents.attributes[path][name] = in.text();
    } else if (tag == ReportTag::number_attribute) {
      const std::string name = in.text();
      contents.attributes[path][name] = in.number(INT64_MIN, INT64_MAX);
    } else {
      H5Data data = parse_shape(in);
      if (tag == ReportTag::bytes_follow) {
        const auto bytes = in.take(data.total_bytes());
        data.bytes.assign(bytes.begin(), bytes.end());
      } else {
        parse_chunks(in, file_bytes, data);
      }
      contents.data[path] = std::move(data);
    }
  }
}

}  // namespace lepton
