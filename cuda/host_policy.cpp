#include "cuda/host_policy.h"

#include <vector>

namespace lepton::cuda {
namespace {

// op(M) as doubles [rows, columns], each row in one piece.
template <class T>
std::vector<double> unpacked(const T* matrix, bool transpose, int64_t ld, int64_t rows, int64_t columns, bool as_tf32) {
  std::vector<double> plain(static_cast<size_t>(rows * columns));
  for (int64_t i = 0; i < rows * columns; ++i) {
    const int64_t row = i / columns, column = i % columns;
    const auto v = static_cast<float>(matrix[transpose ? row * ld + column : column * ld + row]);
    plain[static_cast<size_t>(i)] = static_cast<double>(as_tf32 ? tf32(v) : v);
  }
  return plain;
}

template <class In, class Out>
void multiply(const Gemm& g) {
  const bool biased = g.epilogue == Epilogue::bias || g.epilogue == Epilogue::relu_bias;
  for (int64_t which = 0; which < g.batch; ++which) {
    const auto* a_matrix = static_cast<const In*>(g.a) + which * g.stride_a;
    const auto* b_matrix = static_cast<const In*>(g.b) + which * g.stride_b;
    auto* c_matrix = static_cast<Out*>(g.c) + which * g.stride_c;
    const auto* source = g.source == nullptr ? c_matrix : static_cast<const Out*>(g.source) + which * g.stride_c;
    const std::vector<double> a = unpacked(a_matrix, g.transpose_a, g.lda, g.m, g.k, g.tf32);
    const std::vector<double> b = unpacked(b_matrix, !g.transpose_b, g.ldb, g.n, g.k, g.tf32);  // op(B)^T
    for (int64_t i = 0; i < g.n * g.m; ++i) {
      const double *row = a.data() + i % g.m * g.k, *column = b.data() + i / g.m * g.k;
      double total = 0;
      for (int64_t k = 0; k < g.k; ++k) total += row[k] * column[k];
      Out& c = c_matrix[i / g.m * g.ldc + i % g.m];
      float result = g.alpha * static_cast<float>(total);
      if (g.beta != 0) result += g.beta * static_cast<float>(source[i / g.m * g.ldc + i % g.m]);
      if (biased) result += static_cast<float>(static_cast<const Out*>(g.bias)[i % g.m]);
      if (g.epilogue == Epilogue::relu_bias && !(result > 0)) result = 0;
      c = Out(result);
    }
    if (g.epilogue != Epilogue::sums_of_a) continue;
    for (int64_t row = 0; row < g.m; ++row) {
      const auto begin = a.begin() + row * g.k;
      g.sums[row] = static_cast<float>(std::accumulate(begin, begin + g.k, 0.0));
    }
  }
}

}  // namespace

HostPolicy::~HostPolicy() {
  for (const auto& [data, region] : regions_) munmap(region.pages, static_cast<size_t>(region.bytes + getpagesize()));
}

void* HostPolicy::allocate(int64_t bytes) {
  never_recorded("an allocation");
  if (bytes < 1) fail(Exit::bug, "cuda_host: {} bytes asked for", bytes);
  budget.take(bytes);
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
  join();                                     // as cudaFree waits
  budget.give_back(found->second.used);
  munmap(found->second.pages, static_cast<size_t>(found->second.bytes + getpagesize()));
  regions_.erase(found);
}

void HostPolicy::upload(void* to, const void* from, int64_t bytes) {
  never_recorded("an upload");
  check(to, bytes);
  const Unlocked unlocked(*this);
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void HostPolicy::download(void* to, const void* from, int64_t bytes) {
  never_recorded("a download");
  check(from, bytes);
  const Unlocked unlocked(*this);
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void HostPolicy::zero(void* data, int64_t bytes) {
  check(data, bytes);
  do_or_note([data, bytes] { std::memset(data, 0, static_cast<size_t>(bytes)); });
}

void* HostPolicy::allocate_pinned(int64_t bytes) {
  never_recorded("an allocation");
  std::vector<char> memory(static_cast<size_t>(bytes));
  char* data = memory.data();
  pinned_.emplace(data, std::move(memory));
  return data;
}

void HostPolicy::release_pinned(void* data) {
  join();
  pinned_.erase(static_cast<char*>(data));
}

void HostPolicy::upload_beside(void* to, const void* from, int64_t bytes) {
  never_recorded("an upload");
  check(to, bytes);
  const auto* begin = static_cast<const char*>(from);
  auto found = pinned_.upper_bound(begin);
  if (found == pinned_.begin() || begin + bytes > std::prev(found)->first + std::prev(found)->second.size()) {
    fail(Exit::bug, "cuda_host: an upload beside from memory that is not pinned");
  }
  uploads_.push_back({to, from, {begin, begin + bytes}});
  const Unlocked unlocked(*this);
  std::memset(to, 0xFF, static_cast<size_t>(bytes));
}

void HostPolicy::join() {
  never_recorded("a join");
  const Unlocked unlocked(*this);
  for (const Upload& upload : uploads_) {
    if (std::memcmp(upload.from, upload.bytes.data(), upload.bytes.size()) != 0) {
      uploads_.clear();
      fail(Exit::bug, "cuda_host: pinned memory changed before it was read");
    }
    std::memcpy(upload.to, upload.from, upload.bytes.size());
  }
  uploads_.clear();
}

int HostPolicy::record(const std::function<void()>& work) {
  never_recorded("a record");
  Record record;
  recording_ = &record;
  try {
    work();
  } catch (...) {
    recording_ = nullptr;
    throw;
  }
  recording_ = nullptr;
  records_.push_back(std::move(record));
  return static_cast<int>(records_.size()) - 1;
}

void HostPolicy::replay(int record) const {
  never_recorded("a replay");
  for (const auto& call : records_.at(static_cast<size_t>(record))) call();
}

void HostPolicy::gemm(const Gemm& g) {
  const int64_t rows_a = g.transpose_a ? g.k : g.m, rows_b = g.transpose_b ? g.n : g.k;
  if (g.m < 1 || g.n < 1 || g.k < 1 || g.batch < 1 || g.lda < rows_a || g.ldb < rows_b || g.ldc < g.m) {
    fail(Exit::bug,
         "cuda_host: cuBLAS would refuse m {} n {} k {} lda {} ldb {} ldc {} "
         "batch {}",
         g.m, g.n, g.k, g.lda, g.ldb, g.ldc, g.batch);
  }
  if (g.in != Type::fp32 && g.out != Type::fp32 && g.in != g.out) fail(Exit::bug, "cuda_host: two kinds of 16 bits");
  // Matrices of a batch stand one behind the other, or column between column, as long as none writes another's values.
  const bool behind = g.stride_c >= (g.n - 1) * g.ldc + g.m;
  const bool between = g.stride_c >= g.m && (g.batch - 1) * g.stride_c + g.m <= g.ldc;
  if (g.batch > 1 && !behind && !between) {
    fail(Exit::bug, "cuda_host: products of a batch of {} overlap: m {} n {} ldc {} stride {}", g.batch, g.m, g.n,
         g.ldc, g.stride_c);
  }
  if (g.batch > 1 && (g.stride_a < 0 || g.stride_b < 0)) fail(Exit::bug, "cuda_host: a batch that goes backwards");
  const bool one = g.batch == 1 || g.epilogue == Epilogue::bias || g.epilogue == Epilogue::relu_bias;
  if (g.epilogue != Epilogue::none && (!one || g.beta != 0)) fail(Exit::bug, "cuda_host: no such epilogue");
  if (g.epilogue == Epilogue::sums_of_a && g.out != Type::fp32) fail(Exit::bug, "cuda_host: sums are fp32 as C is");
  ++gemms_;
  do_or_note([g] {
    switch (g.in) {
      case Type::fp32:
        return multiply<float, float>(g);
      case Type::bf16:
        return g.out == Type::fp32 ? multiply<Bf16, float>(g) : multiply<Bf16, Bf16>(g);
      case Type::fp16:
        return g.out == Type::fp32 ? multiply<Half, float>(g) : multiply<Half, Half>(g);
    }
  });
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
