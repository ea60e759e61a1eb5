// The only code that runs libhdf5 on files it did not write; it runs in a process of its own and is believed nothing.
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "io/hdf5_driver.h"
#include "io/hdf5_report.h"

namespace lepton {
namespace {

constexpr int kMostDepth = 8;
constexpr int kMostObjects = 20'000;
constexpr hsize_t kSmallBytes = 65'536;  // a data set up to here is handed over, not pointed to
constexpr size_t kSlabBytes = size_t{8} << 20;
constexpr hsize_t kMostBytes = hsize_t{4} << 30;  // of a compressed data set
constexpr hsize_t kMostExpansion = 2000;          // declared over stored bytes, beyond which it is a bomb

class Walk {
 public:
  explicit Walk(int out) : out_(out) {}

  void group(hid_t id, const std::string& path, int depth) {
    if (depth > kMostDepth) fail(Exit::mismatch, "groups nested deeper than {}: not a file of ours", kMostDepth);
    attributes(id, path);
    H5G_info_t info;
    if (H5Gget_info(id, &info) < 0) damaged(path);
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      if (++objects_ > kMostObjects) fail(Exit::mismatch, "more than {} objects: not a file of ours", kMostObjects);
      char name[1024];
      const ssize_t length = H5Lget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
      if (length < 0 || length >= static_cast<ssize_t>(sizeof name)) damaged(path);
      const std::string child = (path == "/" ? "/" : path + "/") + name;
      H5L_info_t link;
      if (H5Lget_info(id, name, &link, H5P_DEFAULT) < 0) damaged(child);
      if (link.type != H5L_TYPE_HARD)
        fail(Exit::mismatch, "{}: is a link to elsewhere, which our formats do not have", child);
      const hid_t object = H5Oopen(id, name, H5P_DEFAULT);
      if (object < 0) damaged(child);
      const H5I_type_t kind = H5Iget_type(object);
      if (kind == H5I_GROUP)
        group(object, child, depth + 1);
      else if (kind == H5I_DATASET)
        dataset(object, child);  // a named type is left unread
      H5Oclose(object);
    }
  }

  void end() {
    report_.number(static_cast<int64_t>(ReportTag::end));
    flush();
  }

  void refuse(const Error& error) {
    report_.bytes.clear();
    report_.number(static_cast<int64_t>(ReportTag::refused));
    report_.number(static_cast<int64_t>(error.status()));
    report_.text(error.what());
    flush();
  }

 private:
  [[noreturn]] static void damaged(const std::string& where) {
    fail(Exit::integrity, "damaged at {}: HDF5 cannot read it", where);
  }

  void flush() {
    std::span<const uint8_t> rest(report_.bytes);
    while (!rest.empty()) {
      const ssize_t put = ::write(out_, rest.data(), rest.size());
      if (put <= 0) ::_exit(1);
      rest = rest.subspan(static_cast<size_t>(put));
    }
    report_.bytes.clear();
  }

  void head(ReportTag tag, const std::string& path) {
    report_.number(static_cast<int64_t>(tag));
    report_.text(path);
  }

  void attributes(hid_t id, const std::string& path) {
    H5O_info_t info;
    if (H5Oget_info2(id, &info, H5O_INFO_NUM_ATTRS) < 0) damaged(path);
    if (info.num_attrs > 64) fail(Exit::mismatch, "{}: more attributes than our formats have", path);
    for (hsize_t i = 0; i < info.num_attrs; ++i) {
      const hid_t a = H5Aopen_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
      if (a < 0) damaged(path);
      attribute(a, path);
      H5Aclose(a);
    }
  }

  void attribute(hid_t a, const std::string& path) {
    char name[256];
    const ssize_t length = H5Aget_name(a, sizeof name, name);
    if (length < 0 || length >= static_cast<ssize_t>(sizeof name)) damaged(path);
    const hid_t type = H5Aget_type(a), space = H5Aget_space(a);
    if (type < 0 || space < 0) damaged(path);
    const bool single = H5Sget_simple_extent_npoints(space) == 1;
    const size_t size = H5Tget_size(type);
    if (single && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && size > 0 && size <= 65'536) {
      std::string value(size, '\0');
      if (H5Aread(a, type, value.data()) < 0) damaged(path);
      head(ReportTag::string_attribute, path);
      report_.text(name);
      report_.text(value.substr(0, value.find('\0')));
    } else if (single && H5Tget_class(type) == H5T_INTEGER && size <= 8) {
      int64_t value = 0;
      if (H5Aread(a, H5T_NATIVE_INT64, &value) < 0) damaged(path);
      head(ReportTag::number_attribute, path);
      report_.text(name);
      report_.number(value);
    }  // others are not ours and are left unread
    H5Sclose(space);
    H5Tclose(type);
  }

  static std::optional<H5Type> type_of(hid_t type) {
    const std::pair<hid_t, H5Type> known[] = {{H5T_STD_U8LE, H5Type::u8},
                                              {H5T_STD_I32LE, H5Type::i32},
                                              {H5T_STD_I64LE, H5Type::i64},
                                              {H5T_IEEE_F32LE, H5Type::f32}};
    for (const auto& [file_type, ours] : known) {
      if (H5Tequal(type, file_type) > 0) return ours;
    }
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0) return H5Type::string;
    return std::nullopt;
  }

  struct Layout {
    bool chunked = false, plain = true, fletcher = false;  // plain: no filter but Fletcher-32
    std::vector<hsize_t> chunk;
  };

  static Layout layout_of(hid_t plist, int rank, const std::string& path) {
    Layout layout;
    if (H5Pget_external_count(plist) != 0) fail(Exit::mismatch, "{}: is stored in another file", path);
    const H5D_layout_t kind = H5Pget_layout(plist);
    if (kind == H5D_VIRTUAL || kind < 0) fail(Exit::mismatch, "{}: is a virtual data set", path);
    const int filters = H5Pget_nfilters(plist);
    for (int i = 0; i < filters; ++i) {
      unsigned flags = 0, values[8];
      size_t count = 8;
      const H5Z_filter_t filter =
          H5Pget_filter2(plist, static_cast<unsigned>(i), &flags, &count, values, 0, nullptr, nullptr);
      if (filter == H5Z_FILTER_FLETCHER32)
        layout.fletcher = true;
      else if (filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE)
        layout.plain = false;
      else
        fail(Exit::mismatch, "{}: uses filter {}; only deflate, shuffle and Fletcher-32 are read", path,
             static_cast<int>(filter));
    }
    layout.chunked = kind == H5D_CHUNKED;
    if (layout.chunked) {
      layout.chunk.resize(static_cast<size_t>(rank));
      if (H5Pget_chunk(plist, rank, layout.chunk.data()) != rank) damaged(path);
    } else if (kind == H5D_COMPACT) {
      layout.plain = false;  // lies in the object's header, has no place of its own
    }
    return layout;
  }

  void dataset(hid_t id, const std::string& path) {
    const hid_t type = H5Dget_type(id), space = H5Dget_space(id), plist = H5Dget_create_plist(id);
    if (type < 0 || space < 0 || plist < 0) damaged(path);
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > 5) fail(Exit::mismatch, "{}: has {} axes", path, rank);
    std::vector<hsize_t> dims(static_cast<size_t>(rank));
    if (rank > 0 && H5Sget_simple_extent_dims(space, dims.data(), nullptr) != rank) damaged(path);
    const Layout layout = layout_of(plist, rank, path);
    const std::optional<H5Type> kind = type_of(type);
    if (kind) described(id, type, path, dims, *kind, layout);  // others are not ours and are left unread
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
  }

  void described(hid_t id, hid_t type, const std::string& path, const std::vector<hsize_t>& dims, H5Type kind,
                 const Layout& layout) {
    const hsize_t size = H5Tget_size(type);
    hsize_t total = size;
    for (const hsize_t extent : dims) {
      if (extent > (hsize_t{1} << 40) || (extent > 0 && total > (hsize_t{1} << 44) / extent)) {
        fail(Exit::mismatch, "{}: declares an absurd size", path);
      }
      total *= extent;
    }
    const hsize_t stored = H5Dget_storage_size(id);
    if (total > kSmallBytes && total / kMostExpansion > stored) {
      fail(Exit::mismatch, "{}: declares {} bytes and stores {}", path, total, stored);
    }
    bool rows_only = !dims.empty();
    for (size_t axis = 1; axis < layout.chunk.size(); ++axis) rows_only = rows_only && layout.chunk[axis] == dims[axis];
    const bool point = total > kSmallBytes && layout.plain && rows_only;
    head(point ? ReportTag::chunks : ReportTag::bytes_follow, path);
    report_.number(static_cast<int64_t>(kind));
    report_.number(kind == H5Type::string ? static_cast<int64_t>(size) : 1);
    report_.number(static_cast<int64_t>(dims.size()));
    for (const hsize_t extent : dims) report_.number(static_cast<int64_t>(extent));
    if (point)
      places(id, path, dims, layout);
    else
      contents(id, type, path, dims, size, total);
    flush();
  }

  void places(hid_t id, const std::string& path, const std::vector<hsize_t>& dims, const Layout& layout) {
    report_.number(layout.fletcher ? 1 : 0);
    const hsize_t rows = layout.chunked ? layout.chunk[0] : dims[0];
    if (rows == 0) damaged(path);
    report_.number(static_cast<int64_t>(rows));
    report_.number(static_cast<int64_t>((dims[0] + rows - 1) / rows));
    std::vector<hsize_t> at(dims.size());
    for (; at[0] < dims[0]; at[0] += rows) {
      uint32_t mask = 0;
      const haddr_t address = layout.chunked ? chunk_address(id, at.data(), mask) : H5Dget_offset(id);
      if (address == HADDR_UNDEF || mask != 0) fail(Exit::integrity, "{}: lacks a chunk", path);
      report_.number(static_cast<int64_t>(address));
    }
  }

  void contents(hid_t id, hid_t type, const std::string& path, const std::vector<hsize_t>& dims, hsize_t size,
                hsize_t total) {
    if (total > kMostBytes) fail(Exit::mismatch, "{}: {} compressed bytes, more than is read", path, total);
    if (total == 0) return;
    const hsize_t row = dims.empty() || dims[0] == 0 ? size : total / dims[0];
    if (row > kSlabBytes * 8) fail(Exit::mismatch, "{}: rows of {} bytes", path, row);
    const hsize_t rows = dims.empty() ? 1 : dims[0], slab = std::max<hsize_t>(1, kSlabBytes / row);
    const hid_t space = H5Dget_space(id);
    std::vector<uint8_t> bytes;
    for (hsize_t first = 0; first < rows; first += slab) {
      const hsize_t count = std::min(slab, rows - first);
      bytes.resize(count * row);
      hid_t memory = H5S_ALL, from = H5S_ALL;
      if (!dims.empty()) {
        std::vector<hsize_t> begin(dims.size()), block = dims;
        begin[0] = first;
        block[0] = count;
        memory = H5Screate_simple(static_cast<int>(block.size()), block.data(), nullptr);
        if (H5Sselect_hyperslab(space, H5S_SELECT_SET, begin.data(), nullptr, block.data(), nullptr) < 0) damaged(path);
        from = space;
      }
      if (H5Dread(id, type, memory, from, H5P_DEFAULT, bytes.data()) < 0) damaged(path);
      if (memory != H5S_ALL) H5Sclose(memory);
      report_.bytes.insert(report_.bytes.end(), bytes.begin(), bytes.end());
      flush();
    }
    H5Sclose(space);
  }

  int out_;
  int objects_ = 0;
  ReportWriter report_;
};

}  // namespace

void report_hdf5(int file, int out) noexcept {
  Walk walk(out);
  try {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, false, true);
    H5Pset_driver(access, descriptor_driver(), nullptr);
    const hid_t id = H5Fopen(std::to_string(file).c_str(), H5F_ACC_RDONLY, access);
    if (id < 0) fail(Exit::integrity, "damaged or cut short: HDF5 cannot open it");
    const hid_t root = H5Gopen2(id, "/", H5P_DEFAULT);
    if (root < 0) fail(Exit::integrity, "damaged: HDF5 cannot open its root");
    walk.group(root, "/", 0);
    walk.end();
  } catch (const Error& error) {
    walk.refuse(error);
  } catch (...) {
    walk.refuse(Error(Exit::integrity, "needs more memory to read than is allowed"));
  }
}

}  // namespace lepton
