#pragma once
// Dates and times of ISO 8601, as tables hold them.
#include <optional>
#include <string_view>

namespace lepton {

struct Date {
  int year = 0;
  double year_fraction = 0;  // year and the part of it gone: 2021.5 is early July
  double of_year = 0;        // the part of the year gone, [0, 1)
  double of_week = 0;        // days since Monday over 7
  double of_day = 0;         // the part of the day gone, [0, 1)
  bool has_time = false;
};

// "2021-07-02", "2021-07-02T13:45", "2021-07-02 13:45:10.5", with "Z" or an offset ("+02:00", "+0200", "+02"), which is
// checked and not applied: the hour is the local one. Proleptic Gregorian calendar, years 0001 to 9999. Anything else
// is nothing.
std::optional<Date> parse_date(std::string_view text);

}  // namespace lepton
