// lepton-infer: a model and inputs in, a line of labels and scores for each input out.
#include <sched.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/lock.h"
#include "cli/signals.h"
#include "lepton-infer-options.h"
#include "lepton-infer-output.h"
#include "predict/bench.h"
#include "predict/reference.h"
#include "push/reference.h"

namespace lepton {
namespace {

// A run of inputs of one kind: names of files, or splits of a dataset.
struct Section {
  std::vector<std::string> names;
  std::optional<Dataset> dataset;
  std::vector<const SplitData*> splits;
};

// Datasets are opened here, before any thread runs.
std::vector<Section> sections_of(const InferCommand& command, const Predictor& predictor) {
  std::vector<Section> sections;
  for (const std::string& input : command.inputs) {
    const std::string operand = local_copy(input, stop_requested);
    // Records on standard input are answered as they come: it is not read ahead to see what it holds.
    if ((operand == "-" && predictor.recipe->of_records()) || !names_dataset(operand)) {
      if (sections.empty() || sections.back().dataset) sections.emplace_back();
      sections.back().names.push_back(operand);
      continue;
    }
    const DatasetReference reference = parse_dataset_reference(operand);
    Section& section = sections.emplace_back();
    keep_apart(command, reference.path);
    section.dataset = Dataset::open(reference.path);
    check_samples(predictor, *section.dataset);
    for (const Split which : reference.splits) section.splits.push_back(&require_split(*section.dataset, which));
  }
  return sections;
}

// The layer that --embed names; what the last dense layer reads for "last".
NodeId embedding_node(const Graph& graph, const std::string& name) {
  if (name != "last") return graph.find(name);
  for (NodeId id = graph.output(); id > 0; --id) {
    const Node& node = graph.nodes[static_cast<size_t>(id)];
    if (node.kind == LayerKind::dense) return node.inputs[0];
  }
  fail(Exit::usage, "--embed last: the network has no dense layer; name a layer");
}

int usable_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

Computing computing(const InferCommand& command, const CommonOptions& common) {
  return {common.device, common.threads, *parse_precision(command.precision), common.memory_limit};
}

class Inference {
 public:
  Inference(const InferCommand& command, const CommonOptions& common, const Predictor& predictor)
      : command_(command), common_(common), predictor_(predictor) {
    const NodeId node =
        command.embed.empty() ? predictor.graph.output() : embedding_node(predictor.graph, command.embed);
    answerer_.emplace(predictor, node, command.batch, computing(command, common));
    output_.emplace(command, predictor, node, answerer_->width());
    stream_.max_latency = command.max_latency / 1000;
    stream_.records.id = command.id;
    stream_.records.fields = command.pass_through;
    stream_.records.detail = detail;
    if (command.pass_through) {
      stream_.on_columns = [this](const std::string& file, const std::vector<std::string>& columns) {
        output_->set_columns(file, columns);
      };
    }
    stream_.decoders = common.threads > 0 ? common.threads : usable_threads();
  }

  Exit run(const std::vector<Section>& sections) {
    for (const Section& section : sections) {
      for (const SplitData* split : section.splits) {
        predict_split(*answerer_, *split, [this](const Answer& a) { tell(a); }, flush_output);
      }
      if (section.names.empty()) continue;
      stream([&](const NameSink& sink) { std::all_of(section.names.begin(), section.names.end(), sink.push); });
    }
    for (const auto& [list, separator] : {std::pair{command_.files_from, '\n'}, {command_.files0_from, '\0'}}) {
      if (list.empty()) continue;
      stream([&](const NameSink& sink) { for_each_name(list, separator, sink.push, sink.wanted); });
    }
    output_->finish();
    detail(answerer_->describe());
    const Precision precision = *parse_precision(command_.precision);
    for (const std::string& warning : {gpu_warning(common_.device), precision_warning(common_.device, precision)}) {
      if (!warning.empty()) warn(warning);
    }
    if (turned_gray_ > 0) {
      warn(
          fmt::format("{} of {} inputs are in colour and were turned gray, as the training images were by themselves; "
                      "lepton-prep --gray says that this is meant",
                      turned_gray_, answers_));
    }
    if (resampled_ > 0) {
      note(fmt::format("{} of {} recordings were of another rate than the training data's and brought to it",
                       resampled_, answers_));
    }
    if (cut_ > 0) {
      note(fmt::format("{} of {} texts were cut at {} tokens, the longest that the model reads", with_commas(cut_),
                       with_commas(answers_), with_commas(predictor_.graph.input[0])));
    }
    if (errors_ > 0) warn(fmt::format("{} of {} inputs could not be read", errors_, answers_));
    return errors_ > 0 ? Exit::bad_inputs : Exit::ok;
  }

 private:
  void stream(const std::function<void(const NameSink&)>& produce) {
    const auto guarded = [&](const NameSink& sink) {
      produce({[&](const std::string& name) { return keep_apart(command_, name), sink.push(name); }, sink.wanted});
    };
    predict_stream(predictor_, *answerer_, stream_, guarded, [this](const Answer& a) { tell(a); }, flush_output);
  }
  void tell(const Answer& answer) {
    ++answers_;
    if (!answer.error.empty()) ++errors_;
    if (answer.error.empty() && answer.lost_colour) ++turned_gray_;
    if (answer.error.empty() && answer.resampled) ++resampled_;
    if (answer.error.empty() && answer.cut) ++cut_;
    output_->add(answer);
  }

  const InferCommand& command_;
  const CommonOptions& common_;
  const Predictor& predictor_;
  std::optional<Answerer> answerer_;
  std::optional<Output> output_;
  StreamOptions stream_;
  int64_t answers_ = 0, errors_ = 0, turned_gray_ = 0, resampled_ = 0, cut_ = 0;
};

void print_bench(const InferCommand& command, const CommonOptions& common, const Predictor& predictor) {
  const BenchResult r = bench(predictor, command.inputs, command.batch, computing(command, common), command.bench);
  if (command.json) {
    print(fmt::format(
        "{{\"p50_ms\":{:.4f},\"p90_ms\":{:.4f},\"p99_ms\":{:.4f},\"batch\":{},\"samples_per_second\":{:.1f}}}\n",
        r.p50_ms, r.p90_ms, r.p99_ms, command.batch, r.samples_per_second));
    return;
  }
  print(fmt::format("latency of one sample: p50 {:.3f} ms, p90 {:.3f} ms, p99 {:.3f} ms\n", r.p50_ms, r.p90_ms,
                    r.p99_ms));
  print(fmt::format("throughput: {:.0f} samples/s in batches of {}\n", r.samples_per_second, command.batch));
}

// Options that only some models have answers for.
void check_kind(const InferCommand& command, const Predictor& predictor) {
  if (!predictor.recipe->of_records() && (command.pass_through || !command.id.empty())) {
    fail(Exit::usage, "--id and --pass-through are for tables; the model's inputs are files");
  }
  if (command.pass_through && command.format == "h5") {
    fail(Exit::usage, "--pass-through: columns are text; it does not go with --format h5");
  }
  if (predictor.regression() &&
      (command.top > 1 || command.probs || !command.threshold.empty() || !command.positive.empty())) {
    fail(Exit::usage, "the model predicts numbers: --top, --probs, --threshold and --positive are for classes");
  }
}

Exit run(const InferCommand& command, const CommonOptions& common) {
  if (command.model.empty()) fail(Exit::usage, "no model given; see --help");
  const auto stdin_named = std::count_if(command.inputs.begin(), command.inputs.end(), names_stdin) +
                           (command.model == "-") + (command.files_from == "-") + (command.files0_from == "-");
  if (stdin_named > 1) fail(Exit::usage, "- (standard input) is named {} times", stdin_named);
  if (!command.embed.empty() && (command.probs || command.top > 1)) {
    fail(Exit::usage, "--embed prints values of a layer: it does not go with --top or --probs");
  }
  if (!command.embed.empty() && !command.threshold.empty()) {
    fail(Exit::usage, "--embed prints values of a layer: it does not go with --threshold");
  }
  if (!command.positive.empty() && command.threshold.empty()) {
    fail(Exit::usage, "--positive names the class that --threshold is for: give that too");
  }
  if (command.format == "h5" && command.top > 1) {
    fail(Exit::usage, "--top: HDF5 holds the probability of every class; it does not go with --format h5");
  }
  if (command.bench > 0 && command.output != "-") fail(Exit::usage, "--bench measures; it does not go with -o");
  for (const std::string& input : {command.model, command.files_from, command.files0_from}) keep_apart(command, input);
  const Lock lock(common.lock, common.lock_wait);
  const Predictor predictor = Predictor::load(local_copy(command.model, stop_requested));
  if (command.bench > 0) return print_bench(command, common, predictor), Exit::ok;
  check_kind(command, predictor);
  const std::vector<Section> sections = sections_of(command, predictor);
  return Inference(command, common, predictor).run(sections);
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  using namespace lepton;
  return run_main("lepton-infer", [&] {
    InferCommand command;
    CommandLine line(
        {.name = "lepton-infer",
         .summary =
             "Labels images, recordings, texts or rows with a trained model: input, label and score, a line each.",
         .usage = "[options] MODEL.h5 [INPUT...]",
         .example = "find new/ -name '*.jpg' -print0 | lepton-infer model.h5 --files0-from - --top 3",
         .essential = {"files-from", "files0-from", "format", "header", "top", "probs", "embed", "threshold", "bench"},
         .depfile = false});
    add_infer_options(line, command);
    if (const auto done = line.parse(argc, argv)) return *done;
    catch_signals(false);
    return run(command, line.common());
  });
}
