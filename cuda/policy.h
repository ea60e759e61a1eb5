#pragma once
// What the engine asks of a device. A policy is HostPolicy (tests, any machine) or DevicePolicy (a GPU) and has
//   void* allocate(int64_t bytes)                   memory that only launch, gemm, upload, download and zero may touch;
//   void release(void*)                             256-byte aligned; Error(device) when there is none left
//   void upload(void* to, const void* from, bytes)  from the host; `from` may change as soon as it returns
//   void download(void* to, const void* from, bytes)  to the host, once everything before is done
//   void zero(void*, bytes)
//   void launch(int64_t n, const F& f)              f(i) for each i in [0, n), in any order; F is trivially copyable
//   void gemm(const Gemm&)
//   void finish()                                   returns once everything before is done
//   std::string describe() const                    one line for -v, beginning with the device's name
//   Budget budget                                   counts what is allocated, and limits it
//   int64_t free_bytes()                            about what could still be allocated
// Calls take effect in the order they are made, but for copies from pinned memory, which run beside everything else:
//   void* allocate_pinned(int64_t bytes)            host memory
//   void release_pinned(void*)
//   void upload_beside(void* to, const void* from, bytes)  `from` is pinned, and stays as it is until finish_uploads();
//                                                   nobody reads or writes `to` before join() or finish_uploads()
//   void join()                                     what comes after waits for all uploads before
//   void finish_uploads()                           returns once all uploads are done
// Work that comes again and again is recorded and replayed:
//   bool records() const                            whether it can
//   int record(const std::function<void()>& work)   notes the launches, products and zeroes of `work`, and does none of
//                                                   them; `work` calls nothing else. A number for replay().
//   void replay(int record)                         does what was noted: the same arguments, what memory holds now
//   void forget_records()
#include <cstdint>

#include "cuda/element.h"

namespace lepton::cuda {

// What a product does besides, as cublasLt has it.
enum class Epilogue {
  none,
  bias,       // + bias[i] in each column, before C is rounded
  relu_bias,  // and relu of that
  sums_of_a,  // besides C, sums[i] = sum over k of op(A)'s row i
};

// C = alpha op(A) op(B) + beta C, summed in fp32, as cuBLAS has it: column-major, op(A) [m,k], op(B) [k,n], C [m,n];
// element (i, j) of a matrix stands at [j * ld + i], ld at least its rows: columns do not overlap, those of different
// matrices of a batch may, except in C. C is not read when beta is 0.
struct Gemm {
  bool transpose_a = false, transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  int64_t lda = 0;
  const void* b = nullptr;
  int64_t ldb = 0;
  void* c = nullptr;
  int64_t ldc = 0;
  float alpha = 1, beta = 0;
  int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;  // of a batch, in elements
  Type in = Type::fp32, out = Type::fp32;                       // of A and B; of C, which is `in` or fp32
  bool tf32 = false;                                            // fp32 operands may be rounded to TF32
  Epilogue epilogue = Epilogue::none;                           // with beta 0; sums_of_a not of a batch
  const void* bias = nullptr;                                   // [m] of type `out`, the same for all of a batch
  float* sums = nullptr;                                        // [m]; `out` is fp32
  const void* source = nullptr;                                 // what beta multiplies, laid out as C; nullptr: C
};

}  // namespace lepton::cuda
