#include "cuda/host_policy.h"

namespace lepton::cuda {

HostPolicy::~HostPolicy() {
  for (const auto& [data, region] : regions_) munmap(region.pages, static_cast<size_t>(region.bytes + getpagesize()));
}

void* HostPolicy::allocate(int64_t bytes) {
  if (bytes < 1) fail(Exit::bug, "cuda_host: {} bytes asked for", bytes);
  const int64_t page = getpagesize();
  Region region{nullptr, (bytes + page - 1) / page * page, bytes};
  const auto mapped = static_cast<size_t>(region.bytes + page);
  void* pages = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fail(Exit::device, "cuda_host: no memory for {} bytes", bytes);
  region.pages = static_cast<char*>(pages);
  // As near the guard page as the alignment allows.
  char* data = region.pages + (region.bytes - bytes) / 256 * 256;
  regions_[data] = region;
  const Unlocked unlocked(*this);
  std::memset(region.pages, 0xFF, static_cast<size_t>(region.bytes));  // NaN
  return data;
}

void HostPolicy::release(void* data) {
  const auto found = regions_.find(static_cast<char*>(data));
  if (found == regions_.end()) std::abort();  // called by destructors
  munmap(found->second.pages, static_cast<size_t>(found->second.bytes + getpagesize()));
  regions_.erase(found);
}

void HostPolicy::upload(void* to, const void* from, int64_t bytes) {
  check(to, bytes);
  const Unlocked unlocked(*this);
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void HostPolicy::download(void* to, const void* from, int64_t bytes) {
  check(from, bytes);
  const Unlocked unlocked(*this);
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void HostPolicy::zero(void* data, int64_t bytes) {
  check(data, bytes);
  const Unlocked unlocked(*this);
  std::memset(data, 0, static_cast<size_t>(bytes));
}

void HostPolicy::gemm(const Gemm& g) {
  const int64_t rows_a = g.transpose_a ? g.k : g.m, rows_b = g.transpose_b ? g.n : g.k;
  if (g.m < 1 || g.n < 1 || g.k < 1 || g.batch < 1 || g.lda < rows_a || g.ldb < rows_b || g.ldc < g.m) {
    fail(Exit::bug, "cuda_host: cuBLAS would refuse m {} n {} k {} lda {} ldb {} ldc {} batch {}", g.m, g.n, g.k, g.lda,
         g.ldb, g.ldc, g.batch);
  }
  const int64_t step_a = g.transpose_a ? 1 : g.lda, step_b = g.transpose_b ? g.ldb : 1;
  const Unlocked unlocked(*this);
  for (int64_t i = 0; i < g.batch * g.n * g.m; ++i) {
    const int64_t which = i / g.m / g.n, column = i / g.m % g.n, row = i % g.m;
    const float* a = g.a + which * g.stride_a + row * (g.transpose_a ? g.lda : 1);
    const float* b = g.b + which * g.stride_b + column * (g.transpose_b ? 1 : g.ldb);
    float& c = g.c[which * g.stride_c + column * g.ldc + row];
    double total = 0;
    for (int64_t k = 0; k < g.k; ++k) {
      total += static_cast<double>(a[k * step_a]) * static_cast<double>(b[k * step_b]);
    }
    const float product = g.alpha * static_cast<float>(total);
    c = g.beta == 0 ? product : product + g.beta * c;
  }
}

void HostPolicy::protect(int access) {
  for (const auto& [data, region] : regions_) mprotect(region.pages, static_cast<size_t>(region.bytes), access);
}

// As cudaMemcpy does: within one allocation.
void HostPolicy::check(const void* data, int64_t bytes) const {
  const auto* begin = static_cast<const char*>(data);
  auto found = regions_.upper_bound(begin);
  if (found == regions_.begin()) fail(Exit::bug, "cuda_host: a copy of what is not device memory");
  --found;
  if (begin + bytes > found->first + found->second.used) fail(Exit::bug, "cuda_host: a copy past its allocation");
}

int64_t HostPolicy::stride(int64_t n) {
  if (n < 3) return 1;
  int64_t step = n * 5 / 8 + 1;
  while (std::gcd(step, n) != 1) ++step;
  return step % n;
}

}  // namespace lepton::cuda
