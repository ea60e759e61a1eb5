#include <hdf5.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/error.h"
#include "io/hdf5.h"

namespace lepton {
namespace {

std::mutex calls;  // held while this process is inside libhdf5

// Around every call of a writer: quiet, which libhdf5 keeps for each thread, and never in the middle of a fork, whose
// child would find libhdf5 locked by a thread that it does not have.
class Call {
 public:
  Call() : lock_(calls) {
    static const int kRegistered =
        ::pthread_atfork([] { calls.lock(); }, [] { calls.unlock(); }, [] { calls.unlock(); });
    if (kRegistered != 0) fail(Exit::failed, "no memory for a fork handler");
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }

 private:
  std::lock_guard<std::mutex> lock_;
};

// Closes an HDF5 identifier of any kind.
class Id {
 public:
  Id() = default;
  Id(hid_t id, const std::string& what) : id_(id) {
    if (id < 0) fail(Exit::output, "{}: HDF5 could not write it", what);
  }
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Id() { close(); }
  bool close() {
    const hid_t id = release();
    return id < 0 || H5Idec_ref(id) >= 0;
  }
  hid_t release() { return std::exchange(id_, -1); }
  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor): stands for the identifier

 private:
  hid_t id_ = -1;
};

void check(herr_t status, const std::string& what) {
  if (status < 0) fail(Exit::output, "{}: HDF5 could not write it; is the disk full?", what);
}

Id file_type(H5Type type, int64_t length, const std::string& what) {
  switch (type) {
    case H5Type::u8:
      return {H5Tcopy(H5T_STD_U8LE), what};
    case H5Type::i32:
      return {H5Tcopy(H5T_STD_I32LE), what};
    case H5Type::i64:
      return {H5Tcopy(H5T_STD_I64LE), what};
    case H5Type::f32:
      return {H5Tcopy(H5T_IEEE_F32LE), what};
    case H5Type::string:
      break;
  }
  Id id(H5Tcopy(H5T_C_S1), what);
  check(H5Tset_size(id, static_cast<size_t>(std::max<int64_t>(1, length))), what);
  check(H5Tset_strpad(id, H5T_STR_NULLPAD), what);
  check(H5Tset_cset(id, H5T_CSET_UTF8), what);
  return id;
}

std::vector<hsize_t> extents(std::span<const int64_t> dims) { return {dims.begin(), dims.end()}; }

struct Rows {
  Id set, type;
  H5Type kind = H5Type::u8;
  int64_t string_length = 1;
  std::vector<int64_t> row_dims;
  int64_t count = 0;
  Sha256 hash;
};

struct Record {  // what the content hash covers
  H5Type type;
  int64_t string_length;
  std::vector<int64_t> dims;
  Digest digest;
};

}  // namespace

size_t h5_type_size(H5Type type) {
  constexpr size_t kSizes[] = {1, 4, 8, 4, 1};
  return kSizes[static_cast<size_t>(type)];
}

struct H5Writer::Impl {
  std::string path, file_name;  // path: what messages begin with
  Id file;
  std::map<std::string, std::unique_ptr<Rows>> growing;
  std::map<std::string, Record> records;

  Id create(const std::string& name, hid_t type, std::span<const int64_t> dims, bool grows, const H5Storage& storage) {
    std::vector<hsize_t> now = extents(dims), most = now, chunk = now;
    if (grows) {
      now[0] = 0;
      most[0] = H5S_UNLIMITED;
    }
    const Id space(H5Screate_simple(static_cast<int>(now.size()), now.data(), most.data()), path + name);
    const Id plist(H5Pcreate(H5P_DATASET_CREATE), path + name);
    check(H5Pset_obj_track_times(plist, false), path);
    check(H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER), path);
    const bool empty = !grows && std::find(now.begin(), now.end(), hsize_t{0}) != now.end();
    if (!empty) {
      if (storage.chunk_rows > 0)
        chunk[0] = static_cast<hsize_t>(grows ? storage.chunk_rows : std::min(storage.chunk_rows, dims[0]));
      check(H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data()), path);
      if (storage.deflate) check(H5Pset_shuffle(plist), path);
      if (storage.deflate) check(H5Pset_deflate(plist, 4), path);
      check(H5Pset_fletcher32(plist), path);
    }
    make_parents(name);
    return {H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, plist, H5P_DEFAULT), path + name};
  }

  // Groups that HDF5 makes on the way to a longer name would carry the time of day.
  void make_parents(const std::string& name) {
    for (size_t slash = name.find('/', 1); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      group(name.substr(0, slash));
    }
  }

  Id group(const std::string& name) {
    if (name == "/") return {H5Gopen2(file, "/", H5P_DEFAULT), path};
    if (H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0) return {H5Gopen2(file, name.c_str(), H5P_DEFAULT), path};
    make_parents(name);
    const Id plist(H5Pcreate(H5P_GROUP_CREATE), path);
    check(H5Pset_obj_track_times(plist, false), path);
    return {H5Gcreate2(file, name.c_str(), H5P_DEFAULT, plist, H5P_DEFAULT), path + name};
  }

  void put_attribute(const std::string& on, const std::string& name, hid_t type, const void* value) {
    const Id owner = group(on);
    const Id space(H5Screate(H5S_SCALAR), path);
    const Id attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), path + on + "@" + name);
    check(H5Awrite(attribute, type, value), path + on + "@" + name);
  }
};

H5Writer::H5Writer(const std::string& path, const std::string& name) : impl_(std::make_unique<Impl>()) {
  const Call call;
  impl_->path = (name.empty() ? path : name) + ": ";
  impl_->file_name = path;
  const Id access(H5Pcreate(H5P_FILE_ACCESS), path);
  check(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), path);
  check(H5Pset_file_locking(access, false, true), path);
  const Id creation(H5Pcreate(H5P_FILE_CREATE), path);
  check(H5Pset_obj_track_times(creation, false), path);
  impl_->file = Id(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access), path);
}

// libhdf5 1.10 dies of closing a file that it could not write to the end. So what was not finished is not closed
// either, here or at exit: its handles are given up, and the space it took is given back.
H5Writer::~H5Writer() {
  if (impl_->file < 0) return;
  for (auto& [path, rows] : impl_->growing) {
    rows->set.release();
    rows->type.release();
  }
  impl_->file.release();
  if (::truncate(impl_->file_name.c_str(), 0) != 0) errno = 0;  // gone already: nothing to give back
}

void H5Writer::attribute(const std::string& group, const std::string& name, const std::string& value) {
  const Call call;
  const Id type = file_type(H5Type::string, static_cast<int64_t>(value.size()), impl_->path);
  const std::string padded = value.empty() ? std::string(1, '\0') : value;
  impl_->put_attribute(group, name, type, padded.data());
}

void H5Writer::attribute(const std::string& group, const std::string& name, int64_t value) {
  const Call call;
  impl_->put_attribute(group, name, H5T_NATIVE_INT64, &value);
}

void H5Writer::dataset(const std::string& path, H5Type type, std::span<const int64_t> dims,
                       std::span<const uint8_t> bytes, const H5Storage& storage, int64_t string_length) {
  const Call call;
  const Id h5type = file_type(type, string_length, impl_->path);
  const Id set = impl_->create(path, h5type, dims, false, storage);
  if (!bytes.empty()) check(H5Dwrite(set, h5type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), impl_->path + path);
  impl_->records[path] = {type, string_length, {dims.begin(), dims.end()}, sha256(bytes)};
}

void H5Writer::text(const std::string& path, const std::string& value) {
  const int64_t dims[] = {1};
  const std::string padded = value.empty() ? std::string(1, '\0') : value;
  dataset(path, H5Type::string, dims, {reinterpret_cast<const uint8_t*>(padded.data()), padded.size()}, {},
          static_cast<int64_t>(padded.size()));
}

void H5Writer::strings(const std::string& path, std::span<const std::string> values) {
  size_t longest = 1;
  for (const std::string& value : values) longest = std::max(longest, value.size());
  std::vector<uint8_t> bytes(longest * values.size());
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * longest, values[i].data(), values[i].size());
  const int64_t dims[] = {static_cast<int64_t>(values.size())};
  dataset(path, H5Type::string, dims, bytes, {.chunk_rows = 65536, .deflate = true}, static_cast<int64_t>(longest));
}

void H5Writer::begin_rows(const std::string& path, H5Type type, std::span<const int64_t> row_dims,
                          const H5Storage& storage, int64_t string_length) {
  const Call call;
  auto rows = std::make_unique<Rows>();
  rows->type = file_type(type, string_length, impl_->path);
  rows->kind = type;
  rows->string_length = string_length;
  rows->row_dims.assign(row_dims.begin(), row_dims.end());
  std::vector<int64_t> dims = {0};
  dims.insert(dims.end(), row_dims.begin(), row_dims.end());
  rows->set = impl_->create(path, rows->type, dims, true, storage);
  impl_->growing[path] = std::move(rows);
}

void H5Writer::append_rows(const std::string& path, std::span<const uint8_t> bytes, int64_t rows) {
  const Call call;
  Rows& r = *impl_->growing.at(path);
  std::vector<hsize_t> size = {static_cast<hsize_t>(r.count + rows)}, begin = {static_cast<hsize_t>(r.count)},
                       block = {static_cast<hsize_t>(rows)};
  for (const int64_t extent : r.row_dims) {
    size.push_back(static_cast<hsize_t>(extent));
    begin.push_back(0);
    block.push_back(static_cast<hsize_t>(extent));
  }
  const std::string what = impl_->path + path;
  check(H5Dset_extent(r.set, size.data()), what);
  const Id space(H5Dget_space(r.set), what),
      memory(H5Screate_simple(static_cast<int>(block.size()), block.data(), nullptr), what);
  check(H5Sselect_hyperslab(space, H5S_SELECT_SET, begin.data(), nullptr, block.data(), nullptr), what);
  check(H5Dwrite(r.set, r.type, memory, space, H5P_DEFAULT, bytes.data()), what);
  r.hash.update(bytes);
  r.count += rows;
}

std::string H5Writer::content_sha256() const {
  const Call call;
  for (auto& [path, rows] : impl_->growing) {
    std::vector<int64_t> dims = {rows->count};
    dims.insert(dims.end(), rows->row_dims.begin(), rows->row_dims.end());
    impl_->records[path] = {rows->kind, rows->string_length, dims, rows->hash.finish()};
    check(rows->set.close() ? 0 : -1, impl_->path + path);
  }
  impl_->growing.clear();
  ContentHash hash;
  for (const auto& [path, r] : impl_->records) hash.add(path, r.type, r.string_length, r.dims, r.digest);
  return hash.finish();
}

void H5Writer::close() {
  const Call call;
  check(H5Fflush(impl_->file, H5F_SCOPE_GLOBAL), impl_->path);
  impl_->growing.clear();
  check(impl_->file.close() ? 0 : -1, impl_->path);
}

}  // namespace lepton
