// lepton-train: a dataset in, a trained model out.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/lock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "data/dataset.h"
#include "data/model.h"
#include "io/files.h"
#include "lepton-train-options.h"
#include "net/layers.h"
#include "net/presets.h"
#include "net/summary.h"
#include "train/trainer.h"

namespace lepton {
namespace {

void list_nets() {
  for (const Preset& preset : presets()) {
    std::string recipe;
    for (const auto& [name, value] : preset.defaults) recipe += (recipe.empty() ? "" : " ") + name + "=" + value;
    print(preset.name + "\t" + preset.description + "\t" + recipe + "\n");
  }
}

void list_layers() {
  for (const LayerRow& row : layer_table()) print(std::string(row.syntax) + "\t" + row.meaning + "\n");
  for (const LayerOptionRow& row : layer_options()) print(std::string(row.syntax) + "\t" + row.meaning + "\n");
}

// Network and recipe: those named, or chosen by the data; then what the user set.
TrainOptions choose_options(const TrainCommand& command, const CommonOptions& common, const Dataset& data) {
  const Shape shape = data.sample_shape();
  const SplitData* train_split = data.split(Split::train);
  const auto classes = static_cast<int64_t>(data.meta().classes.size());
  Preset preset = default_preset(shape, classes, train_split ? train_split->size() : 1);
  if (const Preset* known = find_preset(command.net)) {
    preset = fitted(*known, shape);
  } else if (!command.net.empty()) {
    const bool is_text = command.net.find_first_of(" ;\n") != std::string::npos;
    if (is_text) {
      preset.net = command.net;
    } else if (std::filesystem::is_regular_file(command.net)) {
      const std::vector<uint8_t> bytes = read_file(command.net, 1 << 20);
      preset.net.assign(bytes.begin(), bytes.end());
    } else {
      std::vector<std::string> names;
      for (const Preset& p : presets()) names.push_back(p.name);
      const std::string near = nearest(command.net, names);
      fail(Exit::usage, "--net {}: neither a preset (see --list-nets), a file nor a network's text{}", command.net,
           near.empty() ? "" : "; did you mean '" + near + "'?");
    }
  }
  TrainOptions options;
  options.net = preset.net;
  options.seed = common.seed;
  apply_options(options, preset.defaults);
  if (!command.augment.empty()) apply_augment(options, command.augment);
  for (const auto& [name, value] : command.settings) apply_option(options, name, value);
  detail("network and recipe: " + preset.name);
  return options;
}

void print_profile(const TrainOptions& options, const CommonOptions& common, const Dataset& data) {
  const Graph graph = build_graph(options.net, data.sample_shape(), static_cast<int64_t>(data.meta().classes.size()));
  EngineOptions o;
  o.batch = options.batch;
  o.threads = common.threads;
  o.training = true;
  o.optimizer = options.optimizer;
  o.mean = data.meta().mean;
  o.std = data.meta().std;
  const std::unique_ptr<Engine> engine = compile(graph, common.device, o);
  const std::vector<uint8_t> pixels(static_cast<size_t>(options.batch * graph.input.elements()), 128);
  const std::vector<int32_t> labels(static_cast<size_t>(options.batch), 0);
  Batch batch;
  batch.n = options.batch;
  batch.images = pixels;
  batch.labels = labels;
  (void)engine->profile(batch);  // warms caches
  print("layer\tforward_ms\tbackward_ms\n");
  for (const LayerTime& t : engine->profile(batch)) {
    print(fmt::format("{}\t{:.3f}\t{:.3f}\n", graph.nodes[static_cast<size_t>(t.node)].name, t.forward_ms,
                      t.backward_ms));
  }
}

// Appends a line an epoch; begun afresh unless the run goes on.
class Log {
 public:
  Log(const std::string& path, bool append) : path_(path) {
    if (path.empty()) return;
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666));
    if (!file_) fail(Exit::output, "--log {}: cannot be written", path);
  }
  void line(const std::string& text) {
    if (!file_) return;
    const std::string whole = text + "\n";
    write_all(file_.get(), {reinterpret_cast<const uint8_t*>(whole.data()), whole.size()}, path_);
  }

 private:
  std::string path_;
  FileDescriptor file_;
};

void tell_epoch(const EpochRecord& r, int64_t epochs) {
  std::string text =
      fmt::format("epoch {}/{}: train loss {:.4f}, accuracy {:.4f}", r.epoch, epochs, r.train_loss, r.train_accuracy);
  if (r.val_accuracy)
    text += fmt::format("; val loss {:.4f}, accuracy {:.4f}{}", *r.val_loss, *r.val_accuracy, r.best ? " *" : "");
  text += fmt::format("; {:.1f} s, {} images/s", r.seconds, with_commas(static_cast<int64_t>(r.images_per_second)));
  note(text + (r.note.empty() ? "" : "; " + r.note));
}

Exit run(const TrainCommand& command, const CommonOptions& common) {
  if (command.list_nets) return list_nets(), Exit::ok;
  if (command.list_layers) return list_layers(), Exit::ok;
  if (command.precision != "fp32") {
    fail(Exit::usage, "--precision {}: the CPU engine trains in fp32 only", command.precision);
  }
  if (command.data.empty()) fail(Exit::usage, "no dataset given; see --help");
  const bool writes = !command.summary && !command.profile;
  if (writes && command.output.empty()) fail(Exit::usage, "no model to write: give -o MODEL.h5");
  if (writes && command.output == "-" && stdout_is_terminal()) {
    fail(Exit::usage, "a model is not written to a terminal; redirect, or give -o MODEL.h5");
  }
  const Dataset data = Dataset::open(command.data);
  const TrainOptions options = choose_options(command, common, data);
  if (command.summary) {
    const auto classes = static_cast<int64_t>(data.meta().classes.size());
    print(summary_text(build_graph(options.net, data.sample_shape(), classes), options.batch));
    return Exit::ok;
  }
  if (command.profile) return print_profile(options, common, data), Exit::ok;

  const Lock lock(common.lock, common.lock_wait);
  if (command.output != "-") const AtomicFile probe(command.output);
  TrainSetup setup;
  setup.options = options;
  setup.device = common.device;
  setup.threads = common.threads;
  setup.checkpoint = !command.checkpoint.empty() ? command.checkpoint
                     : command.output == "-"     ? ""
                                                 : command.output + ".ckpt";
  setup.checkpoint_seconds = command.checkpoint_every;
  setup.resume = command.resume;
  Model initial;
  if (!command.init.empty()) {
    initial = read_model(command.init);
    setup.initial = &initial;
  }
  catch_signals(true);
  const bool goes_on = command.resume && !setup.checkpoint.empty() && std::filesystem::exists(setup.checkpoint);
  Log log(command.log, goes_on);
  std::unique_ptr<Progress> progress = std::make_unique<Progress>("training");
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochRecord& record) {
    progress = std::make_unique<Progress>("training");
    log.line(record.json());
    tell_epoch(record, options.epochs);
  };
  hooks.on_step = [&](int64_t epoch, int64_t step, int64_t steps, double loss) {
    progress->update(step, steps, fmt::format("epoch {}, loss {:.4f}", epoch, loss));
  };
  hooks.explain = detail;
  hooks.stop = [] { return stop_requested() != 0; };
  hooks.checkpoint_now = take_checkpoint_request;
  std::optional<Model> model = train(data, setup, hooks);
  progress.reset();
  if (!model) {
    if (!setup.checkpoint.empty()) note("stopped; --resume goes on from " + setup.checkpoint);
    return Exit::failed;  // run_main turns it into 128+N
  }
  write_model(command.output, *model);
  std::vector<std::string> inputs = {command.data};
  if (!command.init.empty()) inputs.push_back(command.init);
  write_depfile(common.depfile, command.output, inputs);
  if (!setup.checkpoint.empty()) ::unlink(setup.checkpoint.c_str());
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
