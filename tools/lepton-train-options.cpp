#include "lepton-train-options.h"

#include <CLI/App.hpp>

namespace lepton {
namespace {

struct Row {
  const char* name;
  const char* type;
  const char* help;
  const char* group;
};

constexpr const char* kLength = "How long";
constexpr const char* kOptimizer = "Optimizer";
constexpr const char* kData = "Data";

// Options whose text lib/train understands; a preset's defaults go the same way.
constexpr Row kRows[] = {
    {"epochs", "N", "passes over the training data", kLength},
    {"time", "TIME", "train this long instead (90s, 30m, 2h); the schedule is fitted to it", kLength},
    {"target", "accuracy=X|rmse=X", "stop when validation reaches it", kLength},
    {"patience", "N", "stop after N epochs without a better model (0 = never)", kLength},
    {"batch", "N", "samples a step", kOptimizer},
    {"optimizer", "NAME", "sgd (Nesterov), adamw or muon", kOptimizer},
    {"lr", "X", "highest learning rate; with muon, that of matrices", kOptimizer},
    {"bias-lr", "X", "muon: rate of biases and norms", kOptimizer},
    {"head-lr", "X", "muon: rate of the last layer's kernel", kOptimizer},
    {"momentum", "X", "momentum; with muon, that of matrices", kOptimizer},
    {"other-momentum", "X", "muon: momentum of what is not a matrix", kOptimizer},
    {"weight-decay", "X", "weight decay of kernels", kOptimizer},
    {"bias-decay", "X", "muon: decay of biases and norms", kOptimizer},
    {"head-decay", "X", "muon: decay of the last layer's kernel", kOptimizer},
    {"schedule", "NAME", "constant, step, cosine, one-cycle or linear", kOptimizer},
    {"warmup", "SHARE", "share of the run in which the rate rises", kOptimizer},
    {"precision", "NAME", "fp32 or bf16; with a GPU also tf32 or fp16", kOptimizer},
    {"loss-scale", "X", "fp16: fixed power of two instead of one that adapts itself", kOptimizer},
    {"loss", "NAME", "gradient of the batch's mean or sum", kOptimizer},
    {"label-smoothing", "X", "share of the target spread over all classes", kOptimizer},
    {"clip", "X", "largest norm of the gradient (0 = off)", kOptimizer},
    {"ema", "X", "decay of a running average of the weights, which then answers (0 = off)", kOptimizer},
    {"class-weight", "W", "auto, none or NAME=WEIGHT,...", kData},
    {"best", "NAME", "the model kept is that of most accuracy or of least loss on validation", kData},
    {"window", "BYTES", "training samples kept in memory; more than that are shuffled within it (2G)", kData},
    {"val", "SHARE", "validation share where the data has none, or none", kData},
};

}  // namespace

void add_train_options(CommandLine& line, TrainCommand& c) {
  CLI::App& app = line.app();
  app.add_option("DATA.h5", c.data, "the dataset; - = stdin");
  app.add_option("-o,--output", c.output, "the model to write; - = stdout")->type_name("MODEL.h5");
  const char* kNetwork = "Network";
  app.add_option("--net", c.net, "a preset's name, a file, or the network itself: 'conv 32 3x3 relu; dense classes'")
      ->type_name("NET")
      ->group(kNetwork);
  app.add_flag("--list-nets", c.list_nets, "print the presets and their recipes")->group(kNetwork);
  app.add_flag("--list-layers", c.list_layers, "print what a network is written with")->group(kNetwork);
  app.add_flag("--list-devices", c.list_devices, "print what there is to compute on")->group(kNetwork);
  app.add_flag("--summary", c.summary, "print shapes, parameters, FLOPs and memory; no training")->group(kNetwork);
  app.add_flag("--profile", c.profile, "print the time of each layer; no training")->group(kNetwork);
  app.add_option("--init", c.init, "start from this model's weights")->type_name("MODEL.h5")->group(kNetwork);
  for (const Row& row : kRows) {
    app.add_option_function<std::string>(
           std::string("--") + row.name, [&c, name = row.name](const std::string& v) { c.settings[name] = v; },
           row.help)
        ->type_name(row.type)
        ->group(row.group);
  }
  app.add_option("--augment", c.augment,
                 "auto, none, or shift=N,flip=random|alternate|auto,cutout=N,brightness=X,contrast=X; of "
                 "recordings shift=N,time-mask=N,band-mask=N,noise=X")
      ->type_name("LIST")
      ->group(kData);
  const char* kRun = "Run";
  app.add_flag("--resume", c.resume, "go on from the checkpoint if there is one")->group(kRun);
  app.add_option("--checkpoint", c.checkpoint, "where checkpoints go (MODEL.h5.ckpt)")->type_name("FILE")->group(kRun);
  app.add_option("--checkpoint-every", c.checkpoint_every, "time between them; 0: one after every epoch (60)")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->group(kRun);
  app.add_option("--log", c.log, "write an object a line and epoch to FILE")->type_name("FILE.jsonl")->group(kRun);
}

}  // namespace lepton
