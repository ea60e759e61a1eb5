#include "data/model.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/file_schema.h"

namespace lepton {
namespace {

constexpr int64_t kChunkBytes = int64_t{4} << 20;

void write_tensor(H5Writer& out, const std::string& path, const NamedTensor& tensor) {
  std::vector<int64_t> dims(static_cast<size_t>(std::max(1, tensor.shape.rank())), 1);
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) dims[static_cast<size_t>(axis)] = tensor.shape[axis];
  const auto bytes = static_cast<int64_t>(tensor.values.size() * sizeof(float));
  const int64_t row = std::max<int64_t>(1, bytes / std::max<int64_t>(1, dims[0]));
  out.dataset(path, H5Type::f32, dims,
              {reinterpret_cast<const uint8_t*>(tensor.values.data()), static_cast<size_t>(bytes)},
              {.chunk_rows = std::max<int64_t>(1, kChunkBytes / row)});
}

// In order of name, so that the bytes of the file do not depend on the order in memory.
void write_tensors(H5Writer& out, const std::string& prefix, const ParameterSet& set) {
  std::map<std::string_view, const NamedTensor*> sorted;
  for (const NamedTensor& tensor : set.tensors) sorted[tensor.name] = &tensor;
  for (const auto& [name, tensor] : sorted) write_tensor(out, prefix + tensor->name, *tensor);
}

ParameterSet read_tensors(const H5Contents& file, const std::string& prefix) {
  ParameterSet set;
  for (auto it = file.data.lower_bound(prefix); it != file.data.end() && it->first.starts_with(prefix); ++it) {
    if (it->second.dims.size() > 4)
      fail(Exit::mismatch, "{}: {} has {} axes", file.name, it->first, it->second.dims.size());
    NamedTensor tensor;
    tensor.name = it->first.substr(prefix.size());
    for (const int64_t extent : it->second.dims) tensor.shape.push_back(extent);
    tensor.values = read_floats(file, it->first);
    set.tensors.push_back(std::move(tensor));
  }
  return set;
}

Shape input_of(const H5Contents& file, const std::string& graph) {
  try {
    Shape shape;
    const nlohmann::json json = nlohmann::json::parse(graph);
    for (const auto& extent : json.at("input")) shape.push_back(extent.get<int64_t>());
    return shape;
  } catch (const nlohmann::json::exception& error) {
    fail(Exit::mismatch, "{}: /graph: {}", file.name, error.what());
  }
}

}  // namespace

Model read_model(const std::string& path) {
  const H5Contents file = read_hdf5(path);
  check_format(file, "lepton-model");
  Model model;
  model.task = root_text(file, "task");
  model.content_sha256 = root_text(file, "content_sha256");
  model.net = read_text(file, "/net");
  model.graph = read_text(file, "/graph");
  model.input = input_of(file, model.graph);
  model.weights = read_tensors(file, "/weights/");
  model.classes = read_strings(file, "/meta/classes");
  model.mean = read_floats(file, "/meta/mean");
  model.std = read_floats(file, "/meta/std");
  model.target_mean = read_floats(file, "/meta/target_mean");
  model.target_std = read_floats(file, "/meta/target_std");
  model.recipe = read_text(file, "/meta/recipe");
  model.parts = read_parts(file);
  model.metrics = read_text(file, "/meta/metrics");
  model.calibration = read_text(file, "/meta/calibration");
  model.provenance = read_text(file, "/meta/provenance");
  model.selftest_x = read_floats(file, "/selftest/x");
  model.selftest_logits = read_floats(file, "/selftest/logits");
  model.state = read_tensors(file, "/state/tensors/");
  const std::string texts = "/state/text/";
  for (auto it = file.data.lower_bound(texts); it != file.data.end() && it->first.starts_with(texts); ++it) {
    model.state_text[it->first.substr(texts.size())] = read_text(file, it->first);
  }
  if (model.classes.empty()) fail(Exit::mismatch, "{}: lacks /meta/classes", file.name);
  check_model_content(file);
  return model;
}

void check_model_content(const H5Contents& file) {
  if (content_sha256(file, is_of_model) != root_text(file, "content_sha256")) {
    fail(Exit::integrity, "{}: its content is not what its content_sha256 says", file.name);
  }
}

void write_model(const std::string& target, Model& model) {
  AtomicFile file(target);
  H5Writer out(file.path(), target);
  out.text("/net", model.net);
  out.text("/graph", model.graph);
  int64_t parameters = 0;
  write_tensors(out, "/weights/", model.weights);
  for (const NamedTensor& tensor : model.weights.tensors) parameters += static_cast<int64_t>(tensor.values.size());
  out.strings("/meta/classes", model.classes);
  write_floats(out, "/meta/mean", model.mean);
  write_floats(out, "/meta/std", model.std);
  if (!model.target_mean.empty()) {
    write_floats(out, "/meta/target_mean", model.target_mean);
    write_floats(out, "/meta/target_std", model.target_std);
  }
  out.text("/meta/recipe", model.recipe);
  write_parts(out, model.parts);
  out.text("/meta/metrics", model.metrics);
  if (!model.calibration.empty()) out.text("/meta/calibration", model.calibration);
  out.text("/meta/provenance", model.provenance);
  if (!model.selftest_x.empty()) {
    write_floats(out, "/selftest/x", model.selftest_x);
    write_floats(out, "/selftest/logits", model.selftest_logits);
  }
  write_tensors(out, "/state/tensors/", model.state);
  for (const auto& [key, text] : model.state_text) out.text("/state/text/" + key, text);
  model.content_sha256 = out.content_sha256();
  out.attribute("/", "parameters", parameters);
  finish_format(out, "lepton-model", model.task, model.content_sha256);
  out.close();
  file.commit();
}

}  // namespace lepton
