#pragma once
// Charts as plain data, drawn by gnuplot, a program that is run and not linked.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lepton {

// A line through points, in order; with intervals, dots and bars instead.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
  std::vector<std::pair<double, double>> intervals;  // low and high of each point's y; may be empty
};

// A square table: rows are true classes, columns answers; shaded by share of the row.
struct Matrix {
  std::vector<std::string> rows, columns;
  std::vector<int64_t> counts;  // [rows, columns]
};

struct Panel {
  std::string title, x_label, y_label;
  std::optional<std::pair<double, double>> x_range, y_range;
  bool diagonal = false;  // a dashed line from (0, 0) to (1, 1)
  bool log_y = false;
  enum class Legend { top, bottom, above } legend = Legend::top;  // where lines leave room, or outside
  std::vector<Series> series;
  std::optional<Matrix> matrix;  // instead of series
};

enum class PlotFormat { svg, png };
// By the name's end; nullopt for another.
std::optional<PlotFormat> plot_format(const std::string& name);

// The commands that draw the panels in a grid. Names are quoted: whatever is in them, nothing of it is a command.
std::string gnuplot_script(const std::vector<Panel>& panels, PlotFormat format);

// Error(usage) where there is no gnuplot, saying how to get it. To be asked before long work.
void require_gnuplot();

// Draws to a file that appears whole or not at all; equal panels give equal bytes by one version of gnuplot. Errors as
// above; Error(failed) with what gnuplot says where it fails.
void draw(const std::vector<Panel>& panels, const std::string& target);

}  // namespace lepton
