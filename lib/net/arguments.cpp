#include "net/arguments.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace lepton {

int64_t limited_product(const Item& item, const char* what, std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (const int64_t factor : factors) {
    if (factor > kMaxElements / product) {
      fail_item(item, fmt::format("{} would have more than {} values", what, with_commas(kMaxElements)));
    }
    product *= factor;
  }
  return product;
}

int64_t whole(const Item& item, const std::string& what, const std::string& text, int64_t least) {
  const std::optional<int64_t> value = parse_int(text);
  if (!value || *value < least || *value > kMaxExtent) {
    fail_item(item,
              fmt::format("{} must be a whole number from {} to {}, not `{}`", what, least, kMaxExtent, shown(text)));
  }
  return *value;
}

std::pair<int64_t, int64_t> extents(const Item& item, const std::string& what, const std::string& text, int64_t least,
                                    bool upright) {
  const size_t x = text.find('x');
  if (x == std::string::npos) {
    const int64_t extent = whole(item, what, text, least);
    return {extent, upright ? least : extent};
  }
  return {whole(item, what, text.substr(0, x), least), whole(item, what, text.substr(x + 1), least)};
}

double number(const Item& item, const std::string& what, const std::string& text, double low, double high) {
  const std::optional<double> value = parse_double(text);
  if (!value || !(*value >= low && *value <= high)) {
    fail_item(item, fmt::format("{} must be a number from {} to {}, not `{}`", what, low, high, shown(text)));
  }
  return *value;
}

double number_option(const Item& item, const char* name, double otherwise, double low, double high) {
  const std::string* text = item.option(name);
  return text ? number(item, std::string(name) + "=", *text, low, high) : otherwise;
}

namespace {

Init known_init(const Item& item, Init otherwise, const std::vector<std::pair<std::string, Init>>& known) {
  const std::string* text = item.option("init");
  if (!text) return otherwise;
  std::vector<std::string> names;
  for (const auto& [name, init] : known) {
    if (name == *text) return init;
    names.push_back(name);
  }
  fail_item(item, fmt::format("init=`{}` is unknown{}", shown(*text), suggest(*text, names)));
}

}  // namespace

Init init_of(const Item& item) {
  return known_init(item, Init::he,
                    {{"he", Init::he}, {"torch", Init::torch}, {"dirac", Init::dirac}, {"unit", Init::unit}});
}

Init table_init_of(const Item& item) {
  return known_init(item, Init::normal, {{"normal", Init::normal}, {"uniform", Init::uniform}});
}

}  // namespace lepton
