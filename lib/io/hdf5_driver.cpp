#include "io/hdf5_driver.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace lepton {
namespace {

struct OpenFile {
  H5FD_t base;  // libhdf5's part
  int descriptor;
  haddr_t end_of_addresses, end_of_file;
};

thread_local bool watching = false;  // reads of raw data are noted, not done
thread_local haddr_t watched = HADDR_UNDEF;

H5FD_t* open_file(const char* name, unsigned, hid_t, haddr_t) {
  struct stat status{};
  const int descriptor = std::atoi(name);
  if (::fstat(descriptor, &status) != 0) return nullptr;
  auto* file = static_cast<OpenFile*>(std::calloc(1, sizeof(OpenFile)));
  if (file == nullptr) return nullptr;
  file->descriptor = descriptor;
  file->end_of_file = static_cast<haddr_t>(status.st_size);
  return &file->base;
}

herr_t close_file(H5FD_t* file) {
  std::free(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr) *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) { return reinterpret_cast<const OpenFile*>(file)->end_of_addresses; }
haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) { return reinterpret_cast<const OpenFile*>(file)->end_of_file; }
herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  reinterpret_cast<OpenFile*>(file)->end_of_addresses = end;
  return 0;
}

// Zeros behind the end of the file, as libhdf5's own drivers give.
herr_t read_file(H5FD_t* base, H5FD_mem_t type, hid_t, haddr_t address, size_t size, void* bytes) {
  const auto* file = reinterpret_cast<const OpenFile*>(base);
  if (address > file->end_of_addresses || size > file->end_of_addresses - address) return -1;
  if (watching && type == H5FD_MEM_DRAW) {
    watched = address;
    return 0;
  }
  auto* to = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = ::pread(file->descriptor, to, size, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    to += got;
    address += static_cast<haddr_t>(got);
    size -= static_cast<size_t>(got);
  }
  std::memset(to, 0, size);
  return 0;
}

herr_t write_file(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) { return -1; }

}  // namespace

hid_t descriptor_driver() {
  static const H5FD_class_t kDriver = [] {
    H5FD_class_t driver{};
#ifdef H5FD_CLASS_VERSION
    driver.version = H5FD_CLASS_VERSION;
    driver.value = static_cast<H5FD_class_value_t>(600);
#endif
    driver.name = "descriptor";
    driver.maxaddr = (haddr_t{1} << 62) - 1;
    driver.fc_degree = H5F_CLOSE_WEAK;
    driver.open = open_file;
    driver.close = close_file;
    driver.query = query;
    driver.get_eoa = get_eoa;
    driver.set_eoa = set_eoa;
    driver.get_eof = get_eof;
    driver.read = read_file;
    driver.write = write_file;
    for (H5FD_mem_t& type : driver.fl_map) type = H5FD_MEM_DEFAULT;
    return driver;
  }();
  return H5FDregister(&kDriver);
}

haddr_t chunk_address(hid_t dataset, const hsize_t* coordinates, uint32_t& filters) {
  watched = HADDR_UNDEF;
  watching = true;
  char nothing = 0;  // not written to
  const herr_t status = H5Dread_chunk(dataset, H5P_DEFAULT, coordinates, &filters, &nothing);
  watching = false;
  return status < 0 ? HADDR_UNDEF : watched;
}

}  // namespace lepton
