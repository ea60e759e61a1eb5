#include "predict/format.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/rows.h"
#include "metrics/metrics.h"

namespace lepton {
namespace {

using Fields = std::vector<std::string>;

std::string line_of(AnswerFormat format, const Fields& fields) {
  return format == AnswerFormat::csv ? csv_row(fields) : tsv_row(fields);
}

std::string number(float value) { return significant(static_cast<double>(value), kAnswerDigits); }

// JSON has no infinity and no NaN.
std::string json_number(float value) { return std::isfinite(value) ? number(value) : "null"; }

// Indices of the best classes, best first; of equals the first.
std::vector<size_t> best(const std::vector<float>& probabilities, int64_t count) {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto middle = order.begin() + std::min<int64_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), middle, order.end(), [&](size_t a, size_t b) {
    return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
  });
  order.erase(middle, order.end());
  return order;
}

// The labels of a row, the one decided on first; with the name "" where none was.
struct Label {
  std::string name;
  float score;
};
std::vector<Label> labels_of(const AnswerStyle& style, const std::vector<float>& probabilities) {
  std::vector<size_t> order = best(probabilities, style.top);
  const int32_t decided = decide(style.decision, probabilities);
  // Of two classes a threshold may choose the less probable.
  if (decided >= 0 && order[0] != static_cast<size_t>(decided)) {
    if (order.size() > 1) order[1] = order[0];
    order[0] = static_cast<size_t>(decided);
  }
  std::vector<Label> labels;
  labels.reserve(order.size());
  for (const size_t c : order) labels.push_back({style.classes[c], probabilities[c]});
  if (decided < 0) labels[0].name.clear();
  return labels;
}

std::string json_array(const std::vector<float>& values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) text += (i > 0 ? "," : "") + json_number(values[i]);
  return text + "]";
}

std::string json_labels(const AnswerStyle& style, const std::vector<float>& probabilities) {
  const std::vector<Label> labels = labels_of(style, probabilities);
  const auto pair = [](const Label& label) {
    return "\"label\":" + json_text(label.name) + ",\"score\":" + json_number(label.score);
  };
  std::string text = pair(labels[0]);
  if (labels.size() > 1) {
    text += ",\"top\":[";
    for (size_t i = 0; i < labels.size(); ++i) text += (i > 0 ? ",{" : "{") + pair(labels[i]) + "}";
    text += ']';
  }
  if (!style.probs) return text;
  text += ",\"probs\":{";
  for (size_t c = 0; c < probabilities.size(); ++c) {
    text += (c > 0 ? "," : "") + json_text(style.classes[c]) + ":" + json_number(probabilities[c]);
  }
  return text + "}";
}

std::string json_numbers(const AnswerStyle& style, const std::vector<float>& values) {
  if (values.size() == 1) return "\"value\":" + json_number(values[0]);
  std::string text = "\"values\":{";
  for (size_t t = 0; t < values.size(); ++t) {
    text += (t > 0 ? "," : "") + json_text(style.classes[t]) + ":" + json_number(values[t]);
  }
  return text + "}";
}

std::string json_fields(const AnswerStyle& style, const std::vector<std::string>& values) {
  std::string text = ",\"columns\":{";
  for (size_t i = 0; i < std::min(values.size(), style.columns.size()); ++i) {
    text += (i > 0 ? "," : "") + json_text(style.columns[i]) + ":" + json_text(values[i]);
  }
  return text + "}";
}

std::string json_line(const AnswerStyle& style, const Answer& answer) {
  std::string text = "{\"input\":" + json_text(answer.input);
  if (!answer.error.empty()) {
    text += ",\"error\":" + json_text(answer.error);
  } else if (style.embedding) {
    text += ",\"embedding\":" + json_array(answer.values);
  } else if (style.numbers) {
    text += "," + json_numbers(style, answer.values);
  } else {
    text += "," + json_labels(style, softmax(answer.values, std::ssize(answer.values), style.decision.temperature));
  }
  if (!style.columns.empty() && answer.error.empty()) text += json_fields(style, answer.fields);
  return text + "}\n";
}

// Fields that name what is predicted.
Fields header_fields(const AnswerStyle& style) {
  Fields fields = {"input"};
  if (style.embedding) {
    for (int64_t i = 0; i < style.width; ++i) fields.push_back("v" + std::to_string(i));
    return fields;
  }
  if (style.numbers) {
    if (style.classes.size() == 1) return {"input", "value"};
    fields.insert(fields.end(), style.classes.begin(), style.classes.end());
    return fields;
  }
  for (int64_t i = 1; i <= std::min(style.top, std::ssize(style.classes)); ++i) {
    const std::string rank = i == 1 ? "" : std::to_string(i);
    fields.push_back("label" + rank);
    fields.push_back("score" + rank);
  }
  if (style.probs) {
    for (const std::string& name : style.classes) fields.push_back("p:" + name);
  }
  return fields;
}

}  // namespace

std::string answer_header(const AnswerStyle& style) {
  if (style.format == AnswerFormat::jsonl) return {};
  Fields fields = header_fields(style);
  fields.insert(fields.end(), style.columns.begin(), style.columns.end());
  return line_of(style.format, fields);
}

std::string answer_line(const AnswerStyle& style, const Answer& answer) {
  if (style.format == AnswerFormat::jsonl) return json_line(style, answer);
  Fields fields = {answer.input};
  if (!answer.error.empty()) {
    fields.insert(fields.end(), {"", "", answer.error});
    return line_of(style.format, fields);
  }
  if (style.embedding || style.numbers) {
    for (const float v : answer.values) fields.push_back(number(v));
    fields.insert(fields.end(), answer.fields.begin(), answer.fields.end());
    return line_of(style.format, fields);
  }
  const std::vector<float> probabilities =
      softmax(answer.values, std::ssize(answer.values), style.decision.temperature);
  for (const Label& label : labels_of(style, probabilities)) {
    fields.push_back(label.name);
    fields.push_back(number(label.score));
  }
  if (style.probs) {
    for (const float p : probabilities) fields.push_back(number(p));
  }
  fields.insert(fields.end(), answer.fields.begin(), answer.fields.end());
  return line_of(style.format, fields);
}

}  // namespace lepton
