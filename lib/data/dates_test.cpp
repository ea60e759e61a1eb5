#include "data/dates.h"

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(Dates, NumbersOfADate) {
  const struct {
    const char* text;
    double year_fraction, of_year, weekday, hour;
    bool has_time;
  } cases[] = {
      {"2021-01-01", 2021, 0, 4, 0, false},  // a Friday
      {"2020-07-01", 2020 + 182.0 / 366, 182.0 / 366, 2, 0, false},
      {"2024-02-29", 2024 + 59.0 / 366, 59.0 / 366, 3, 0, false},
      {"1970-01-01T12:00", 1970 + 0.5 / 365, 0.5 / 365, 3, 12, true},
      {"2000-12-31 23:59:60.25Z", 2001, 1, 6, 24, true},
      {"0001-01-01T06:30:00,5+02:00", 1, 0, 0, 6.5, true},
      {"9999-12-31T00:00-0330", 9999 + 364.0 / 365, 364.0 / 365, 4, 0, true},
      {"2021-03-04T10:00+02", 2021 + 62.42 / 365, 62.42 / 365, 3, 10, true},
  };
  for (const auto& c : cases) {
    const auto date = parse_date(c.text);
    ASSERT_TRUE(date) << c.text;
    EXPECT_NEAR(date->year_fraction, c.year_fraction, 1e-3) << c.text;
    EXPECT_NEAR(date->of_year, c.of_year, 1e-3) << c.text;
    EXPECT_DOUBLE_EQ(date->of_week, c.weekday / 7) << c.text;
    EXPECT_NEAR(date->of_day, c.hour / 24, 1e-3) << c.text;
    EXPECT_EQ(date->has_time, c.has_time) << c.text;
    EXPECT_LT(date->of_day, 1) << c.text;
  }
}

TEST(Dates, AnythingElseIsNone) {
  for (const char* text : {"", "2021", "2021-1-1", "2021-13-01", "2021-02-29", "2021-00-10", "0000-01-01", "20210101",
                           "2021-01-01T", "2021-01-01 24:00", "2021-01-01x", "2021-01-01T10:00+2", "01.02.2021",
                           "2021-01-01T10:00:00.", "2021-01-01T10:00+02:"}) {
    EXPECT_FALSE(parse_date(text)) << text;
  }
}

}  // namespace
}  // namespace lepton
