// lepton-train: a dataset in, a trained model out.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/lock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "data/dataset.h"
#include "data/model.h"
#include "data/recipe.h"
#include "io/files.h"
#include "lepton-train-options.h"
#include "net/layers.h"
#include "net/presets.h"
#include "net/summary.h"
#include "predict/scoring.h"
#include "push/reference.h"
#include "train/trainer.h"

namespace lepton {
namespace {

void list_nets() {
  for (const Preset& preset : presets()) {
    std::string recipe;
    for (const auto& [name, value] : preset.defaults) {
      recipe += fmt::format("{}{}={}", recipe.empty() ? "" : " ", name, value);
    }
    std::string kinds;
    for (const SampleKind kind : preset.kinds) kinds += (kinds.empty() ? "" : ",") + std::string(plural_of(kind));
    print(fmt::format("{}\t{}\t{}\t{}\n", preset.name, kinds, preset.description, recipe));
  }
}

void list_layers() {
  for (const LayerRow& row : layer_table()) print(std::string(row.syntax) + "\t" + row.meaning + "\n");
  for (const LayerOptionRow& row : layer_options()) print(std::string(row.syntax) + "\t" + row.meaning + "\n");
}

void list_devices() {
  std::string missing;
  std::vector<DeviceInfo> devices = gpus(&missing);
  devices.push_back(processor());
  print("device\tname\tmemory\tcapability\tdriver\n");
  for (const DeviceInfo& d : devices) {
    print(fmt::format("{}\t{}\t{}\t{}\t{}\n", d.device, d.name, d.memory_bytes, d.capability, d.driver));
  }
  if (!missing.empty()) detail(missing);
}

// The text of a network that is no preset: given as such, or in a file.
std::string network_text(const std::string& net) {
  if (net.find_first_of(" ;\n") != std::string::npos) return net;
  if (std::filesystem::is_regular_file(net)) {
    const std::vector<uint8_t> bytes = read_file(net, 1 << 20);
    return {bytes.begin(), bytes.end()};
  }
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.push_back(p.name);
  const std::string near = nearest(net, names);
  fail(Exit::usage, "--net {}: neither a preset (see --list-nets), a file nor a network's text{}", net,
       near.empty() ? "" : "; did you mean '" + near + "'?");
}

// Network and recipe: those named, those of the model to begin with, or chosen by the data; then what the user set.
TrainOptions choose_options(const TrainCommand& command, const CommonOptions& common, const Dataset& data,
                            const Model* initial) {
  const Shape shape = data.sample_shape();
  const SplitData* train_split = data.split(Split::train);
  const int64_t samples = train_split ? train_split->size() : 1, tokens = tokens_of(data);
  Preset preset;
  if (const Preset* known = find_preset(command.net)) {
    require_kind(*known, kind_of(shape, tokens));
    preset = fitted(*known, shape);
  } else if (!command.net.empty()) {
    preset = {"general", "", network_text(command.net), general_recipe(shape, samples)};
  } else if (initial != nullptr) {
    preset = {"general", "", initial->net, general_recipe(shape, samples)};
  } else {
    preset = default_preset(shape, static_cast<int64_t>(data.meta().classes.size()), samples, tokens, is_bag(data));
  }
  // Weights that know something already are moved gently.
  if (initial != nullptr && preset.name == "general") preset.defaults.emplace_back("lr", "0.0005");
  TrainOptions options;
  options.net = preset.net;
  options.seed = common.seed;
  apply_options(options, preset.defaults);
  const auto optimizer = command.settings.find("optimizer");
  if (optimizer != command.settings.end()) {
    const OptimizerKind before = options.optimizer.kind;
    apply_option(options, "optimizer", optimizer->second);
    if (options.optimizer.kind != before) apply_options(options, optimizer_defaults(optimizer->second));
  }
  const TrainOptions recipe = options;
  if (!command.augment.empty()) apply_augment(options, command.augment);
  for (const auto& [name, value] : command.settings) apply_option(options, name, value);
  check_augment(options, shape, command.augment);
  scale_decays(options, recipe, command.settings.contains("bias-decay"), command.settings.contains("head-decay"));
  if (initial != nullptr) options.init = initial->content_sha256;
  if (options.val == "none" && (!options.target.empty() || options.patience > 0)) {
    fail(Exit::usage, "--val none leaves nothing to judge by; --target and --patience need validation");
  }
  detail("network and recipe: " + preset.name + ", " + options_json(options));
  return options;
}

// Weights of words or columns mean nothing for data whose words or columns are others.
void check_initial(const TrainCommand& command, const Model& initial, const Dataset& data) {
  const std::unique_ptr<const Recipe> recipe = read_recipe(initial.recipe, initial.parts);
  if (recipe->sample_shape().rank() != 1) return;
  const std::string why = recipe->differs(*read_recipe(data.meta().recipe, data.meta().parts));
  if (why.empty()) return;
  fail(Exit::mismatch, "--init {}: {}: {}", command.init, data.path(), why);
}

// No input is ever overwritten.
void keep_apart(const TrainCommand& command, const std::string& checkpoint) {
  for (const auto& [option, output] :
       {std::pair{"-o", command.output}, {"--checkpoint", checkpoint}, {"--log", command.log}}) {
    for (const std::string& input : {command.data, command.init}) {
      std::error_code missing;
      if (output.empty() || input.empty() || !std::filesystem::equivalent(output, input, missing)) continue;
      fail(Exit::usage, "{} {}: is an input too and would be overwritten", option, output);
    }
  }
}

void print_profile(const TrainOptions& options, const CommonOptions& common, const Dataset& data) {
  const Graph graph =
      build_graph(options.net, data.sample_shape(), static_cast<int64_t>(data.meta().classes.size()), tokens_of(data));
  EngineOptions o;
  o.threads = common.threads;
  o.memory_limit = common.memory_limit;
  o.training = true;
  o.optimizer = options.optimizer;
  if (!data.meta().target_mean.empty()) o.loss = LossKind::mse;
  o.precision = options.precision;
  o.loss_scale = options.loss_scale;
  o.mean = data.meta().mean;
  o.std = data.meta().std;
  const SplitData* split = data.split(Split::train);
  if (split == nullptr) fail(Exit::no_input, "{}: has no training samples", data.path());
  o.batch = std::min(options.batch, split->size());
  const std::unique_ptr<Engine> engine = compile(graph, common.device, o);
  std::vector<uint8_t> x(static_cast<size_t>(o.batch * graph.input.elements()) * element_size(split->type()));
  split->read(0, o.batch, x);
  Batch batch = batch_of(split->type(), o.batch, x, {});
  std::vector<float> targets(split->targets().size(), 0.0F);
  batch.targets = std::span(targets).first(std::min(targets.size(), static_cast<size_t>(o.batch * graph.classes)));
  batch.labels = std::span(split->labels()).first(static_cast<size_t>(o.batch));
  (void)engine->profile(batch);  // warms caches
  print("layer\tforward_ms\tbackward_ms\n");
  for (const LayerTime& t : engine->profile(batch)) {
    print(fmt::format("{}\t{:.3f}\t{:.3f}\n", graph.nodes[static_cast<size_t>(t.node)].name, t.forward_ms,
                      t.backward_ms));
  }
}

// One line an epoch, each written as it comes.
class Log {
 public:
  explicit Log(const std::string& path) : path_(path) {
    if (path.empty()) return;
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (!file_) fail(Exit::output, "--log {}: {}", path, std::strerror(errno));
  }
  // Replaces what the file held by the epochs this run stands on.
  void begin(const std::string& lines) {
    if (file_ && ::ftruncate(file_.get(), 0) != 0 && errno != EINVAL) {  // EINVAL: a pipe or terminal
      fail(Exit::output, "--log {}: {}", path_, std::strerror(errno));
    }
    append(lines);
  }
  void append(const std::string& lines) {
    if (file_) write_all(file_.get(), {reinterpret_cast<const uint8_t*>(lines.data()), lines.size()}, path_);
  }

 private:
  std::string path_;
  FileDescriptor file_;
};

void tell_epoch(const EpochRecord& r, const TrainOptions& options) {
  const std::string of = options.time_seconds > 0 ? "" : fmt::format("/{}", options.epochs);
  std::string text = fmt::format("epoch {}{}: train loss {:.4f}", r.epoch, of, r.train_loss);
  if (r.train_accuracy) text += fmt::format(", accuracy {:.4f}", *r.train_accuracy);
  if (r.val_loss) text += fmt::format("; val loss {:.4f}", *r.val_loss);
  if (r.val_accuracy) text += fmt::format(", accuracy {:.4f}", *r.val_accuracy);
  if (r.val_rmse) text += fmt::format(", rmse {:.6g}", *r.val_rmse);
  if (r.val_loss && r.best) text += " *";
  text += fmt::format("; {:.1f} s, {} samples/s", r.seconds, with_commas(static_cast<int64_t>(r.images_per_second)));
  note(text + (r.note.empty() ? "" : "; " + r.note));
}

Exit run(const TrainCommand& command, const CommonOptions& common) {
  if (command.list_nets) return list_nets(), Exit::ok;
  if (command.list_layers) return list_layers(), Exit::ok;
  if (command.list_devices) return list_devices(), Exit::ok;
  if (command.data.empty()) fail(Exit::usage, "no dataset given; see --help");
  const bool writes = !command.summary && !command.profile;
  if (writes && command.output.empty()) fail(Exit::usage, "no model to write: give -o MODEL.h5");
  if (writes && command.output == "-" && stdout_is_terminal()) {
    fail(Exit::usage, "a model is not written to a terminal; redirect, or give -o MODEL.h5");
  }
  const std::string checkpoint = !command.checkpoint.empty() ? command.checkpoint
                                 : command.output == "-"     ? ""
                                                             : command.output + ".ckpt";
  keep_apart(command, checkpoint);
  const Lock lock(common.lock, common.lock_wait);
  const Dataset data = Dataset::open(local_copy(command.data, stop_requested));
  std::optional<Model> initial;
  if (!command.init.empty()) initial = read_model(local_copy(command.init, stop_requested));
  if (initial) check_initial(command, *initial, data);
  const TrainOptions options = choose_options(command, common, data, initial ? &*initial : nullptr);
  if (command.summary) {
    const auto classes = static_cast<int64_t>(data.meta().classes.size());
    print(summary_text(build_graph(options.net, data.sample_shape(), classes, tokens_of(data)), options.batch));
    return Exit::ok;
  }
  if (command.profile) return print_profile(options, common, data), Exit::ok;

  if (command.output != "-") const AtomicFile probe(command.output);
  TrainSetup setup;
  setup.options = options;
  setup.device = common.device;
  setup.threads = common.threads;
  setup.memory_limit = common.memory_limit;
  setup.checkpoint = checkpoint;
  if (!checkpoint.empty()) const AtomicFile probe(checkpoint);
  setup.checkpoint_seconds = command.checkpoint_every;
  setup.resume = command.resume;
  setup.initial = initial ? &*initial : nullptr;
  setup.version = LEPTON_VERSION;
  Log log(command.log);
  catch_signals(true);
  std::unique_ptr<Progress> progress = std::make_unique<Progress>("training");
  TrainHooks hooks;
  hooks.on_start = [&](const std::string& lines) { log.begin(lines); };
  hooks.on_epoch = [&](const EpochRecord& record) {
    progress = std::make_unique<Progress>("training");
    log.append(record.json() + "\n");
    tell_epoch(record, options);
  };
  hooks.on_step = [&](int64_t epoch, int64_t step, int64_t steps, double loss) {
    progress->update(step, steps, fmt::format("epoch {}, loss {:.4f}", epoch, loss));
  };
  hooks.explain = detail;
  hooks.warn = warn;
  hooks.stop = [] { return stop_requested() != 0; };
  hooks.checkpoint_now = take_checkpoint_request;
  std::optional<Model> model = train(data, setup, hooks);
  progress.reset();
  if (!model) {
    note(checkpoint.empty() ? "stopped" : "stopped; --resume goes on from " + checkpoint);
    return Exit::failed;  // run_main turns it into 128+N
  }
  write_model(command.output, *model);
  std::vector<std::string> inputs = {command.data};
  if (!command.init.empty()) inputs.push_back(command.init);
  if (std::filesystem::is_regular_file(command.net)) inputs.push_back(command.net);
  write_depfile(common.depfile, command.output, inputs);
  if (!checkpoint.empty()) ::unlink(checkpoint.c_str());
  return Exit::ok;
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  using namespace lepton;
  return run_main("lepton-train", [&] {
    TrainCommand command;
    CommandLine line({.name = "lepton-train",
                      .summary = "Trains a network on a dataset and writes the model with the best validation.",
                      .usage = "[options] DATA.h5 -o MODEL.h5",
                      .example = "lepton-train photos.h5 -o model.h5 --net cnn6 --epochs 10",
                      .essential = {"output", "net", "epochs", "time", "batch", "optimizer", "lr", "augment", "val",
                                    "resume", "log", "summary", "list-nets"}});
    add_train_options(line, command);
    if (const auto done = line.parse(argc, argv)) return *done;
    return run(command, line.common());
  });
}
