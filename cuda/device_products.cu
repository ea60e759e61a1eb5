#include "cuda/device_products.h"

#include "base/error.h"

namespace lepton::cuda {
namespace {

cudaDataType data_type(Type type) {
  return type == Type::fp32 ? CUDA_R_32F : type == Type::bf16 ? CUDA_R_16BF : CUDA_R_16F;
}

cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::none:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case Epilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case Epilogue::relu_bias:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case Epilogue::sums_of_a:
      return CUBLASLT_EPILOGUE_BGRADA;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

// What the address of each matrix of g is a multiple of, up to 256.
int64_t alignment(const void* data, const Gemm& g, Type type, int64_t stride) {
  auto address = reinterpret_cast<uintptr_t>(data);
  if (g.batch > 1) address |= static_cast<uintptr_t>(stride * size_of(type));
  return static_cast<int64_t>((address | 256) & (~(address | 256) + 1));
}

template <class V>
void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute, const V& value) {
  check(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof(value)), "describing a product");
}

template <class V>
void prefer(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, V value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)), "describing a product");
}

cublasLtMatrixLayout_t layout(Type type, int64_t rows, int64_t columns, int64_t ld, int64_t batch, int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, data_type(type), static_cast<uint64_t>(rows), static_cast<uint64_t>(columns),
                                   ld),
        "describing a matrix");
  if (batch == 1) return made;
  const auto count = static_cast<int32_t>(batch);
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
        "describing a batch");
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride)),
        "describing a batch");
  return made;
}

const void* source_of(const Gemm& g) { return g.source == nullptr ? g.c : g.source; }

void* vector_of(const Gemm& g) { return g.epilogue == Epilogue::sums_of_a ? g.sums : const_cast<void*>(g.bias); }

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(Exit::device, "cuda: {}: {}", what, cudaGetErrorString(status));
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(Exit::device, "cuda: {}: {}", what, cublasLtGetStatusString(status));
}

void DeviceProducts::start(void* work, size_t work_bytes) {
  check(cublasLtCreate(&handle_), "starting cublasLt");
  work_ = work;
  work_bytes_ = work_bytes;
}

// Errors of a card that is lost have nowhere to go.
DeviceProducts::~DeviceProducts() {
  for (auto& [key, product] : products_) {
    for (cublasLtMatrixLayout_t each : {product.a, product.b, product.c}) {
      if (each != nullptr) cublasLtMatrixLayoutDestroy(each);
    }
    if (product.description != nullptr) cublasLtMatmulDescDestroy(product.description);
  }
  if (handle_ != nullptr) cublasLtDestroy(handle_);
}

bool DeviceProducts::run(const Gemm& g, cudaStream_t stream) {
  Product& product = product_for(g);
  if (!product.found) return false;
  if (g.epilogue != Epilogue::none) {
    set(product.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector_of(g));
  }
  check(cublasLtMatmul(handle_, product.description, &g.alpha, g.a, product.a, g.b, product.b, &g.beta, source_of(g),
                       product.c, g.c, product.c, &product.algorithm, work_, work_bytes_, stream),
        "multiplying matrices");
  return true;
}

DeviceProducts::Key DeviceProducts::key_of(const Gemm& g) {
  return {g.transpose_a,
          g.transpose_b,
          g.m,
          g.n,
          g.k,
          g.lda,
          g.ldb,
          g.ldc,
          g.batch,
          g.stride_a,
          g.stride_b,
          g.stride_c,
          static_cast<int64_t>(g.in),
          static_cast<int64_t>(g.out),
          g.tf32,
          static_cast<int64_t>(g.epilogue),
          g.beta != 0,
          alignment(g.a, g, g.in, g.stride_a),
          alignment(g.b, g, g.in, g.stride_b),
          alignment(source_of(g), g, g.out, g.stride_c),
          alignment(g.c, g, g.out, g.stride_c)};
}

DeviceProducts::Product& DeviceProducts::product_for(const Gemm& g) {
  const auto [at, is_new] = products_.try_emplace(key_of(g));
  if (is_new) choose(g, at->second);
  return at->second;
}

void DeviceProducts::choose(const Gemm& g, Product& p) const {
  const cublasComputeType_t compute = g.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(cublasLtMatmulDescCreate(&p.description, compute, CUDA_R_32F), "describing a product");
  set(p.description, CUBLASLT_MATMUL_DESC_TRANSA, g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(p.description, CUBLASLT_MATMUL_DESC_TRANSB, g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(p.description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(g.epilogue));
  if (g.epilogue != Epilogue::none) set(p.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector_of(g));
  p.a = layout(g.in, g.transpose_a ? g.k : g.m, g.transpose_a ? g.m : g.k, g.lda, g.batch, g.stride_a);
  p.b = layout(g.in, g.transpose_b ? g.n : g.k, g.transpose_b ? g.k : g.n, g.ldb, g.batch, g.stride_b);
  p.c = layout(g.out, g.m, g.n, g.ldc, g.batch, g.stride_c);
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "describing a product");
  prefer(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, work_bytes_);
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
         static_cast<uint32_t>(alignment(g.a, g, g.in, g.stride_a)));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
         static_cast<uint32_t>(alignment(g.b, g, g.in, g.stride_b)));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
         static_cast<uint32_t>(alignment(g.c, g, g.out, g.stride_c)));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
         static_cast<uint32_t>(alignment(g.c, g, g.out, g.stride_c)));
  cublasLtMatmulHeuristicResult_t proposal{};
  int proposals = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle_, p.description, p.a, p.b, p.c, p.c, preference, 1, &proposal, &proposals);
  cublasLtMatmulPreferenceDestroy(preference);
  p.found = status == CUBLAS_STATUS_SUCCESS && proposals > 0;
  p.algorithm = proposal.algo;
  if (!p.found && g.epilogue == Epilogue::none && g.batch == 1) {
    fail(Exit::device, "cuda: cublasLt has no product for m {} n {} k {}: {}", g.m, g.n, g.k,
         cublasLtGetStatusString(status));
  }
}

}  // namespace lepton::cuda
