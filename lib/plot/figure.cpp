#include "plot/figure.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "io/files.h"
#include "io/process.h"

namespace lepton {
namespace {

constexpr int kPanelWidth = 520, kPanelHeight = 440;      // pixels
constexpr double kMatrixWidth = 330, kDigitWidth = 0.95;  // pixels of its cells together; of a digit by font size
constexpr size_t kMostPoints = 2000;                      // of a line: more than a panel has pixels
constexpr size_t kLongestName = 40;                       // letters
constexpr size_t kMostNames = 20;                         // classes a matrix is labelled and counted with

// Okabe and Ito's colours (2008), told apart by every kind of colour vision; yellow, too pale on white, is left out.
constexpr const char* kColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"};

// Length of the UTF-8 letter at `at`, 0 if there is none.
size_t letter_length(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned lead = byte(at);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  for (size_t i = 1; i < length; ++i) {
    if (byte(at + i) >> 6 != 2) return 0;
  }
  return length;
}

// In single quotes, between which gnuplot knows no escapes and no commands; quotes in the text become ’.
std::string quoted(const std::string& text, size_t longest = 1000) {
  std::string safe = "'";
  size_t letters = 0;
  for (size_t at = 0; at < text.size(); ++letters) {
    if (letters == longest) {
      safe += "…";
      break;
    }
    const size_t length = letter_length(text, at);
    const char c = text[at];
    if (length == 0) {
      safe += "\xEF\xBF\xBD";
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)) {
      safe += ' ';
    } else {
      safe += c == '\'' || c == '`' ? "’" : text.substr(at, length);
    }
    at += std::max<size_t>(1, length);
  }
  return safe + "'";
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.7g}", value) : "NaN"; }

std::string data_of(const Series& series, const std::string& name) {
  std::string text = "$" + name + " << EOD\n";
  const size_t n = series.points.size(), shown = std::min(n, kMostPoints);
  for (size_t k = 0; k < shown; ++k) {
    const size_t i = shown > 1 ? k * (n - 1) / (shown - 1) : 0;
    text += number(series.points[i].first) + " " + number(series.points[i].second);
    if (!series.intervals.empty()) {
      text += " " + number(series.intervals[i].first) + " " + number(series.intervals[i].second);
    }
    text += '\n';
  }
  return text + "EOD\n";
}

// Column, row, share of the row, count.
std::string data_of(const Matrix& m, const std::string& name) {
  std::string text = "$" + name + " << EOD\n";
  const size_t columns = m.columns.size();
  for (size_t r = 0; r < m.rows.size(); ++r) {
    double sum = 0;
    for (size_t c = 0; c < columns; ++c) sum += static_cast<double>(m.counts[r * columns + c]);
    for (size_t c = 0; c < columns; ++c) {
      const int64_t count = m.counts[r * columns + c];
      text += fmt::format("{} {} {} {}\n", c, r, number(sum > 0 ? static_cast<double>(count) / sum : 0), count);
    }
  }
  return text + "EOD\n";
}

std::string tics_of(const std::vector<std::string>& names) {
  std::string text = "(";
  for (size_t i = 0; i < names.size(); ++i) text += fmt::format("{}{} {}", i > 0 ? ", " : "", quoted(names[i], 14), i);
  return text + ")";
}

std::string draw_matrix(const Matrix& m, const std::string& data) {
  const bool named = std::max(m.rows.size(), m.columns.size()) <= kMostNames;
  std::string text = "unset key\nunset colorbox\nset palette defined (0 '#FFFFFF', 1 '#6BAED6')\nset cbrange [0:1]\n";
  text += fmt::format("set xrange [-0.5:{}]\nset yrange [{}:-0.5]\n", static_cast<double>(m.columns.size()) - 0.5,
                      static_cast<double>(m.rows.size()) - 0.5);
  if (named) {
    text += fmt::format("set xtics {}{}scale 0\nset ytics {} scale 0\n", tics_of(m.columns),
                        m.columns.size() > 4 ? " rotate by -40 " : " ", tics_of(m.rows));
  }
  text += "plot $" + data + " using 1:2:3 with image pixels";
  if (named) {
    const auto longest = std::to_string(*std::max_element(m.counts.begin(), m.counts.end())).size();
    const double cell = kMatrixWidth / static_cast<double>(m.columns.size());
    const double size = std::clamp(cell / (static_cast<double>(longest) * kDigitWidth), 4.0, 11.0);
    text += fmt::format(", ${} using 1:2:(sprintf('%d', int($4))) with labels font ',{:.1f}' textcolor rgb '#000000'",
                        data, size);
  }
  return text + "\n";
}

std::string range_of(const char* axis, const std::optional<std::pair<double, double>>& range) {
  return range ? fmt::format("set {}range [{}:{}]\n", axis, number(range->first), number(range->second)) : "";
}

std::string draw_series(const Panel& panel, const std::string& prefix) {
  std::string text = range_of("x", panel.x_range) + range_of("y", panel.y_range);
  text += "set grid linecolor rgb '#DDDDDD' linetype 1\nset border 3 linecolor rgb '#555555'\nset tics nomirror\n";
  constexpr const char* kPlaces[] = {"top right", "bottom right", "outside above center horizontal"};
  text += fmt::format("set key {} Left reverse opaque fillcolor rgb '#FFFFFF' noautotitle samplen 2\n",
                      kPlaces[static_cast<size_t>(panel.legend)]);
  if (panel.log_y) text += "set logscale y\nset format y '%g'\n";
  text += "plot ";
  const char* comma = "";
  if (panel.diagonal) {
    text += "x with lines linewidth 1 dashtype 2 linecolor rgb '#888888'";
    comma = ", ";
  }
  for (size_t s = 0; s < panel.series.size(); ++s) {
    const Series& series = panel.series[s];
    if (series.points.empty()) continue;
    const char* colour = kColours[s % std::size(kColours)];
    const char* look = !series.intervals.empty()   ? "1:2:3:4 with yerrorbars linewidth 1 pointtype 7 pointsize 0.7"
                       : series.points.size() == 1 ? "1:2 with points pointtype 7 pointsize 0.7"
                                                   : "1:2 with lines linewidth 2";
    text += fmt::format("{}${}{} using {} linecolor rgb '{}' title {}", comma, prefix, s, look, colour,
                        quoted(series.name, kLongestName));
    comma = ", ";
  }
  // Of nothing, gnuplot draws axes only if it is asked for something, such as this, out of sight.
  if (*comma == '\0') return "set xrange [0:1]\nset yrange [0:1]\n" + text + "-1\n";
  return text + "\n";
}

ProcessResult run_gnuplot(const std::vector<std::string>& argv, const ProcessOptions& options) {
  try {
    return run_process(argv, options);
  } catch (const Error& error) {
    fail(error.status(), "plots are drawn by gnuplot: {}; it comes in the package gnuplot-nox", error.what());
  }
}

}  // namespace

std::optional<PlotFormat> plot_format(const std::string& name) {
  if (name.ends_with(".svg")) return PlotFormat::svg;
  if (name.ends_with(".png")) return PlotFormat::png;
  return std::nullopt;
}

std::string gnuplot_script(const std::vector<Panel>& panels, PlotFormat format) {
  const int count = std::max<int>(1, static_cast<int>(panels.size()));
  const int columns = count == 1 ? 1 : count <= 4 ? 2 : 3, rows = (count + columns - 1) / columns;
  std::string text = "set encoding utf8\n";
  text += fmt::format("set terminal {} noenhanced size {},{} font 'DejaVu Sans,10' background rgb '#FFFFFF'\n",
                      format == PlotFormat::svg ? "svg" : "pngcairo", columns * kPanelWidth, rows * kPanelHeight);
  for (size_t p = 0; p < panels.size(); ++p) {
    for (size_t s = 0; s < panels[p].series.size(); ++s)
      text += data_of(panels[p].series[s], fmt::format("p{}s{}", p, s));
    if (panels[p].matrix) text += data_of(*panels[p].matrix, fmt::format("p{}m", p));
  }
  text += fmt::format("set multiplot layout {},{}\n", rows, columns);
  for (size_t p = 0; p < panels.size(); ++p) {
    const Panel& panel = panels[p];
    text += fmt::format("reset\nset title {} font ',12'\nset xlabel {}\nset ylabel {}\n", quoted(panel.title),
                        quoted(panel.x_label), quoted(panel.y_label));
    text +=
        panel.matrix ? draw_matrix(*panel.matrix, fmt::format("p{}m", p)) : draw_series(panel, fmt::format("p{}s", p));
  }
  return text + "unset multiplot\n";
}

void require_gnuplot() {
  const ProcessResult result = run_gnuplot({"gnuplot", "--version"}, {});
  if (result.status != 0) fail(Exit::failed, "gnuplot --version failed ({}): {}", result.status, result.err);
}

void draw(const std::vector<Panel>& panels, const std::string& target) {
  const auto format = plot_format(target);
  if (!format) fail(Exit::usage, "{}: expected a name that ends in .svg or .png", target);
  AtomicFile file(target);
  ProcessOptions options;
  options.input = gnuplot_script(panels, *format);
  options.environment = {{"LC_ALL", "C.UTF-8"}};
  const ProcessResult result = run_gnuplot({"gnuplot", "-d"}, options);  // -d: nothing of the user's own settings
  if (result.status != 0 || result.timed_out || result.out.empty()) {
    fail(Exit::failed, "{}: gnuplot failed ({}): {}", target, result.status, result.err);
  }
  const FileDescriptor out(::open(file.path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!out) fail(Exit::output, "{}: {}", target, std::strerror(errno));
  write_all(out.get(), {reinterpret_cast<const uint8_t*>(result.out.data()), result.out.size()}, target);
  file.commit();
}

}  // namespace lepton
