#include "lepton-infer-options.h"

#include <CLI/App.hpp>

namespace lepton {

void add_infer_options(CommandLine& line, InferCommand& c) {
  CLI::App& app = line.app();
  app.add_option("MODEL.h5", c.model, "the model; - = stdin");
  app.add_option("INPUT", c.inputs, "files, datasets as DATA.h5[:split,...], or -[:split,...] = stdin");
  const char* kInputs = "Inputs";
  app.add_option("--files-from", c.files_from, "names of files, one a line; - = stdin, answered as they come")
      ->type_name("FILE")
      ->group(kInputs);
  app.add_option("--files0-from", c.files0_from, "the same, each name ended by NUL")->type_name("FILE")->group(kInputs);
  app.add_option("--id", c.id, "column that names the rows of a table (FILE:LINE)")
      ->type_name("COLUMN")
      ->group(kInputs);
  const char* kOutput = "Output";
  app.add_option("-o,--output", c.output, "where answers go, whole or not at all; - = stdout, as they come (-)")
      ->type_name("FILE")
      ->group(kOutput);
  app.add_option("--format", c.format, "tsv, csv, jsonl (an object a line) or h5 (tsv)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"tsv", "csv", "jsonl", "h5"}))
      ->group(kOutput);
  app.add_flag("--header", c.header, "a first line that names the columns")->group(kOutput);
  app.add_option("--top", c.top, "labels an input, best first (1)")
      ->type_name("K")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->group(kOutput);
  app.add_flag("--pass-through", c.pass_through, "the input's columns behind the prediction")->group(kOutput);
  app.add_flag("--probs", c.probs, "the probability of every class")->group(kOutput);
  app.add_option("--embed", c.embed, "values of this layer instead of labels; last = what the last dense layer reads")
      ->type_name("LAYER")
      ->group(kOutput);
  app.add_option("--threshold", c.threshold, "label by this probability instead of the largest; model = the stored one")
      ->type_name("N|model")
      ->group(kOutput);
  app.add_option("--positive", c.positive, "of two classes the one --threshold is for")
      ->type_name("CLASS")
      ->group(kOutput);
  const char* kSpeed = "Speed";
  app.add_option("--batch", c.batch, "most inputs computed together (32)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->group(kSpeed);
  add_precision_option(line, c.precision, kSpeed);
  app.add_option("--max-latency", c.max_latency, "longest wait of an answer for others (20)")
      ->type_name("MS")
      ->check(CLI::Range(0.0, 1e6))
      ->group(kSpeed);
  app.add_option("--bench", c.bench, "measure latency and throughput this long instead")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 86'400.0))
      ->group(kSpeed);
  app.add_flag("--json", c.json, "the measurement as JSON")->group(kSpeed);
}

}  // namespace lepton
