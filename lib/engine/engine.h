#pragma once
// One graph, compiled for one device. Training loop, inference and evaluation know nothing else of a device.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/batch.h"
#include "base/communicator.h"
#include "base/tensor.h"
#include "net/graph.h"

namespace lepton {

// What matrix products take, and what values and gradients are stored as (with tf32 that is fp32). Parameters, sums,
// statistics and losses are always fp32. int8: inference on the CPU; values are bytes between convolutions.
enum class Precision { fp32, tf32, bf16, fp16, int8 };
inline constexpr const char* kPrecisionNames[] = {"fp32", "tf32", "bf16", "fp16", "int8"};
// By its name; nullopt: no such one.
std::optional<Precision> parse_precision(std::string_view name);
enum class OptimizerKind { sgd, adamw, muon };
enum class LossKind { cross_entropy, mse };  // of Batch::labels, of Batch::targets

// Fixed at compile time since it decides what state the engine keeps. Formulas: kernels/optimizer.h.
struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::sgd;
  float momentum = 0.9F;  // sgd; muon's matrices
  bool nesterov = true;
  float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;  // adamw
  float other_momentum = 0.85F;                         // muon: Nesterov SGD of what is not a matrix
  float clip = 0;                                       // largest 2-norm of the whole gradient; 0 = off
  float ema = 0;                                        // decay of the running average of the parameters; 0 = none kept
};

struct EngineOptions {
  int64_t batch = 128;  // most samples in one call
  Precision precision = Precision::fp32;
  float loss_scale = 0;   // fp16: fixed power of two; 0 = one that adapts itself
  int threads = 0;        // 0 = all the process may use
  bool training = false;  // false: batch-norm folded where that is faster, no gradients kept
  uint64_t seed = 0;      // dropout
  OptimizerSpec optimizer;
  LossKind loss = LossKind::cross_entropy;  // mse: the graph's classes are the numbers to be predicted
  // One value for each place of the sample's last axis (channel, column, band), in units of the stored values:
  // x' = (x - mean) / std; empty = as is. Tokens have none.
  std::vector<float> mean, std;
  // int8: of each node the largest magnitude that its values are to hold, larger ones being cut; 0 = unknown, then they
  // are kept in fp32. Found by predict/ranges.h.
  std::vector<float> ranges;
  // Of a device with memory of its own: most bytes to use there, 0 = all there is; and most of them that a
  // convolution's windows take at a time, which an engine lowers to stay below the limit.
  int64_t memory_limit = 0, window_bytes = int64_t{512} << 20;
};

struct StepSettings {
  int64_t step = 0;               // counts updates from 0; names dropout's random numbers
  std::span<const float> rates;   // learning rate of each parameter, in the order of parameters_of(graph)
  std::span<const float> decays;  // weight decay of each parameter
  float label_smoothing = 0;
  bool sum_loss = false;  // gradient of the loss summed over the batch, not its weighted mean
};

struct StepResult {
  // Before the update: weighted mean over the batch of the cross-entropy, or over samples and targets of the squared
  // error.
  double loss = 0;
  int64_t correct = 0;       // samples whose largest logit is their label; 0 with mse
  double gradient_norm = 0;  // 2-norm over all trained parameters; computed only when clip is on, else 0
  bool finite = true;        // false: loss or gradient overflowed and nothing was updated
};

struct LayerTime {
  NodeId node;
  double forward_ms = 0, backward_ms = 0;
};

// Gives samples [first, first + count) as stored.
using SampleReader = std::function<void(int64_t first, int64_t count, std::span<uint8_t> samples)>;

class Engine {
 public:
  virtual ~Engine() = default;
  // What train_step will be given after the coming one: an engine with memory of its own takes it in while it computes.
  // The spans stay as they are until that step, or until announce({}) takes it back.
  virtual void announce(const Batch&) {}
  // Asks an engine with memory of its own to keep n images there, for batches that only name them (Batch::kept). False:
  // it does not.
  virtual bool keep(int64_t, const SampleReader&) { return false; }
  // Forward, backward, update. Only on engines compiled for training. 1 <= batch.n <= options.batch.
  // A table's rows are updated only in steps whose batch holds their token, in all that an update does: gradient,
  // momentum and moments, decay, running average. So a step's time does not depend on the table's size. Muon takes a
  // table as it takes a bias.
  virtual StepResult train_step(const Batch& batch, const StepSettings& settings) = 0;
  // Values of `node` for each sample, [n, elements] in N H W C order; batch-norm uses running statistics, dropout is
  // off.
  virtual void infer(const Batch& batch, NodeId node, std::span<float> values) = 0;
  // Plain layouts in and out. save() returns parameters in graph order, then optimiser state ("name.momentum",
  // "name.m", "name.v", "name.ema", "optimizer.steps"); load() takes what it finds, and needs at least the parameters.
  virtual void load(const ParameterSet& parameters) = 0;
  virtual ParameterSet save() const = 0;
  // Time of each layer, forward and (on training engines) backward, for one batch; changes nothing that save() shows.
  virtual std::vector<LayerTime> profile(const Batch& batch) = 0;
  virtual int64_t memory_bytes() const = 0;  // activations, gradients, parameters and state held
  virtual std::string describe() const = 0;  // for -v: device, threads and the algorithm chosen for each layer
};

// device: "cpu", "cuda" or "cuda:N" (the GPUs), "reference", or "auto": the first GPU if there is one and its first
// answers are those of the CPU (auto_device.h), else the CPU.
// Throws Error(device) when it is not to be had.
std::unique_ptr<Engine> compile(const Graph& graph, std::string_view device, const EngineOptions& options,
                                Communicator* communicator = nullptr);

// The engines behind compile(); each in its own folder.
std::unique_ptr<Engine> compile_reference(const Graph& graph, const EngineOptions& options);
std::unique_ptr<Engine> compile_cpu(const Graph& graph, const EngineOptions& options, Communicator* communicator);

// What every engine asks of a batch (batch_check.cpp).
// Throws Error(mismatch) where a batch's tokens are not n rows of graph.input in [0, graph.tokens).
void check_tokens(const Batch& batch, const Graph& graph);
// Throws Error(bug) where what `loss` is computed from is missing, Error(mismatch) where a label is no class.
void check_truth(const Batch& batch, LossKind loss, int64_t classes);
// Sum of the weights of the labelled samples, or (mse) of the known targets, `classes` a sample.
double loss_weight(const Batch& batch, LossKind loss, int64_t classes);

// A device that compile() takes, for people.
struct DeviceInfo {
  std::string device;  // "cuda:0"
  std::string name;    // as its maker calls it
  int64_t memory_bytes = 0;
  std::string capability;  // compute capability of a GPU
  std::string driver;
};
// The GPUs of this machine; none: `missing`, if not nullptr, is set to what there is not (module, driver or card).
std::vector<DeviceInfo> gpus(std::string* missing = nullptr);
DeviceInfo processor();
// For -v: why "auto" is the CPU; empty where it is not, or another device was asked for.
std::string why_not_a_gpu(std::string_view device);
// A warning for everybody: why the engines compiled for "auto" are not on the GPU that there is; else empty.
std::string gpu_warning(std::string_view device);
// Another: that the engines compiled for this device compute in fp32 for want of instructions for `precision`; else
// empty.
std::string precision_warning(std::string_view device, Precision precision);

// The parameters that answer, i.e. averages where they are kept, plain ones else,
// without optimiser state.
ParameterSet answering_parameters(const ParameterSet& saved);

}  // namespace lepton
