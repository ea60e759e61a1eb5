#include "data/dates.h"

#include <array>
#include <cstdint>

namespace lepton {
namespace {

// Reads from the front of what is left of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return text_.empty(); }
  bool take(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly so many digits, from low to high.
  bool number(size_t digits, int low, int high, int& value) {
    if (text_.size() < digits) return false;
    value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return false;
      value = 10 * value + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return value >= low && value <= high;
  }
  bool fraction(double& value) {
    double scale = 0.1;
    if (text_.empty() || text_.front() < '0' || text_.front() > '9') return false;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1), scale /= 10) {
      value += scale * (text_.front() - '0');
    }
    return true;
  }

 private:
  std::string_view text_;
};

bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// Days from 0001-01-01, a Monday, to the first of January.
int64_t days_before(int64_t year) {
  const int64_t y = year - 1;
  return 365 * y + y / 4 - y / 100 + y / 400;
}

bool read_time(Cursor& at, double& of_day) {
  int hour = 0, minute = 0, second = 0;
  double part = 0;
  if (!at.number(2, 0, 23, hour) || !at.take(":") || !at.number(2, 0, 59, minute)) return false;
  if (at.take(":")) {
    if (!at.number(2, 0, 60, second)) return false;
    if (at.take(".,") && !at.fraction(part)) return false;
  }
  of_day = (hour * 3600 + minute * 60 + second + part) / 86401;  // a leap second stays below 1
  if (at.take("Z")) return true;
  if (!at.take("+-")) return true;
  int offset = 0;
  if (!at.number(2, 0, 23, offset)) return false;
  const bool colon = at.take(":");
  return (at.done() && !colon) || at.number(2, 0, 59, offset);
}

}  // namespace

std::optional<Date> parse_date(std::string_view text) {
  static constexpr std::array<int, 13> kBefore = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  static constexpr std::array<int, 13> kDays = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  Cursor at(text);
  Date date;
  int month = 0, day = 0;
  if (!at.number(4, 1, 9999, date.year) || !at.take("-") || !at.number(2, 1, 12, month) || !at.take("-")) return {};
  const auto m = static_cast<size_t>(month);
  if (!at.number(2, 1, kDays[m] + (month == 2 && leap(date.year)), day)) return {};
  if (at.take("T ")) {
    date.has_time = true;
    if (!read_time(at, date.of_day)) return {};
  }
  if (!at.done()) return {};
  const int day_of_year = kBefore[m] + (month > 2 && leap(date.year)) + day - 1;
  date.of_year = (day_of_year + date.of_day) / (leap(date.year) ? 366 : 365);
  date.year_fraction = date.year + date.of_year;
  date.of_week = static_cast<double>((days_before(date.year) + day_of_year) % 7) / 7;
  return date;
}

}  // namespace lepton
