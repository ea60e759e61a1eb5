#include "plot/figure.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  const std::vector<uint8_t> bytes = read_file(path.string());
  return {bytes.begin(), bytes.end()};
}

struct Folder {
  fs::path path = fs::temp_directory_path() / ("lepton-plot-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

// Names that would be commands, end the string or break the file.
const std::vector<std::string> kNames = {"it's",     "`touch pwned`",  "a\nset output 'pwned'",      "<b>&amp;",
                                         "\xff\xfe", "$(touch pwned)", "\"; system 'touch pwned' #", "肺炎_{x}^2"};

std::vector<Panel> panels() {
  Panel lines;
  lines.title = kNames[1];
  lines.x_label = kNames[2];
  lines.y_label = kNames[3];
  lines.x_range = {0, 1};
  lines.diagonal = true;
  lines.series = {{kNames[0], {{0, 0}, {0.5, 0.8}, {1, 1}}, {}},
                  {kNames[5], {{0.2, 0.3}, {0.7, 0.6}}, {{0.1, 0.5}, {0.5, 0.7}}},
                  {"nothing", {}, {}},
                  {"one", {{0.5, 0.5}}, {}}};
  Panel table;
  table.title = "table";
  table.matrix = Matrix{kNames, kNames, std::vector<int64_t>(kNames.size() * kNames.size(), 1'234'567)};
  return {lines, table, Panel{}};
}

TEST(Figure, NamesAreNoCommands) {
  const std::string script = gnuplot_script(panels(), PlotFormat::svg);
  EXPECT_NE(script.find("title 'it’s'"), std::string::npos);
  EXPECT_NE(script.find("'a set output ’pwned’'"), std::string::npos);
  EXPECT_EQ(script.find('`'), std::string::npos);
  EXPECT_EQ(script.find('\xff'), std::string::npos);
}

TEST(Figure, DrawsWhateverTheNames) {
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);
  draw(panels(), "f.svg");
  draw(panels(), "f.png");
  draw(panels(), "g.svg");
  fs::current_path(before);
  EXPECT_FALSE(fs::exists(folder.path / "pwned"));
  const std::string svg = text_of(folder.path / "f.svg");
  for (const char* part : {"</svg>", "it’s", "&lt;b>&amp;amp;", "1234567", "肺炎_{x}^2", "; system ’tou…"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(svg, text_of(folder.path / "g.svg"));
  EXPECT_EQ(text_of(folder.path / "f.png").substr(1, 3), "PNG");
}

TEST(Figure, WhatCannotBeDrawn) {
  EXPECT_THROW(draw({}, "f.gif"), Error);
  EXPECT_FALSE(plot_format("svg"));
  const Folder folder;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder.path.c_str(), 1);
  try {
    draw(panels(), (folder.path / "f.svg").string());
    ADD_FAILURE() << "drawn without gnuplot";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::usage);
    EXPECT_NE(std::string(error.what()).find("gnuplot-nox"), std::string::npos);
  }
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_TRUE(fs::is_empty(folder.path));
}

}  // namespace
}  // namespace lepton
