#include "data/labels.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "data/source.h"
#include "io/files.h"

namespace lepton {
namespace {

std::string_view first_part(std::string_view path) { return path.substr(0, path.find('/')); }

std::string_view rest(std::string_view path) {
  const size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
}

// How many folders stand around everything else: as long as all images lie below one folder that is no split.
std::string wrapper_of(const std::vector<std::string>& folders, const std::vector<bool>& images) {
  std::string wrapper;
  for (;;) {
    std::optional<std::string> common;
    for (size_t i = 0; i < folders.size(); ++i) {
      if (!images[i]) continue;
      const std::string_view below = std::string_view(folders[i]).substr(wrapper.size());
      if (rest(below).empty()) return wrapper;  // images directly in it: a class, not a wrapper
      const std::string part(first_part(below));
      if (split_of_folder(part) || (common && *common != part)) return wrapper;
      common = part;
    }
    if (!common) return wrapper;
    wrapper += *common + "/";
  }
}

struct Layout {
  std::vector<std::string_view> below;  // folder without the wrapper
  bool all_splits = true;               // every topmost folder with images is named for a split
  std::string split_with_folders;       // a topmost folder named for a split that holds folders, if any
  std::string other;                    // a topmost folder that is not, if any
  bool classes_in_splits = false;
};

Layout layout_of(const std::vector<std::string>& folders, const std::vector<bool>& images, const std::string& wrapper) {
  Layout layout;
  bool any = false;
  for (size_t i = 0; i < folders.size(); ++i) {
    std::string_view below = folders[i];
    below.remove_prefix(std::min(below.starts_with(wrapper) ? wrapper.size() : below.size(), below.size()));
    layout.below.push_back(below);
    if (!images[i] || below.empty()) continue;
    any = true;
    const std::string_view top = first_part(below);
    if (!split_of_folder(top)) {
      layout.all_splits = false;
      layout.other = top;
    } else if (!rest(below).empty()) {
      layout.split_with_folders = top;
      layout.classes_in_splits = true;
    }
  }
  layout.all_splits = layout.all_splits && any;
  return layout;
}

}  // namespace

std::vector<Placement> place_folders(const std::vector<std::string>& folders, const std::vector<bool>& images,
                                     bool wrapped, const std::string& source) {
  const Layout layout = layout_of(folders, images, wrapped ? wrapper_of(folders, images) : "");
  if (!layout.other.empty() && layout.classes_in_splits) {
    fail(Exit::usage,
         "{}: the folder '{}' could be a split, but '{}' beside it is none: name the folders train, val and test, "
         "or give each with --train, --val, --test",
         source, layout.split_with_folders, layout.other);
  }
  if (layout.all_splits && !layout.classes_in_splits) {
    fail(Exit::no_input, "{}: the split folders hold images but no class folders: expected SPLIT/CLASS/IMAGE", source);
  }
  std::vector<Placement> placements;
  placements.reserve(layout.below.size());
  for (const std::string_view below : layout.below) {
    if (layout.all_splits) {
      const std::string name(first_part(rest(below)));
      placements.push_back({name, split_of_folder(first_part(below))});
    } else {
      placements.push_back({std::string(first_part(below)), std::nullopt});
    }
  }
  return placements;
}

std::vector<Placement> place_splits(const std::vector<std::string>& folders, const std::vector<bool>& images,
                                    bool wrapped) {
  const Layout layout = layout_of(folders, images, wrapped ? wrapper_of(folders, images) : "");
  std::vector<Placement> placements;
  placements.reserve(layout.below.size());
  for (const std::string_view below : layout.below) {
    placements.push_back({"", layout.all_splits ? split_of_folder(first_part(below)) : std::nullopt});
  }
  return placements;
}

LabelList LabelList::read(const std::string& path) {
  LabelList list;
  const std::vector<uint8_t> bytes = read_file(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::map<std::string, int32_t> numbers;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t tab = line.find('\t');
    const std::string_view field = tab == std::string_view::npos ? "" : line.substr(tab + 1);
    const std::string label = unescape_tsv(field.substr(0, field.find('\t')));
    if (label.empty()) fail(Exit::usage, "{}:{}: expected 'id<TAB>label'", path, line_number);
    const auto [it, added] = numbers.try_emplace(label, static_cast<int32_t>(list.classes_.size()));
    if (added) list.classes_.push_back(label);
    const std::string id = unescape_tsv(line.substr(0, tab));
    list.rows_.push_back({list.text_.size(), static_cast<uint32_t>(id.size()), it->second});
    list.text_ += id;
  }
  std::sort(list.rows_.begin(), list.rows_.end(),
            [&](const Row& a, const Row& b) { return list.id_of(a) < list.id_of(b); });
  for (size_t i = 1; i < list.rows_.size(); ++i) {
    const Row &a = list.rows_[i - 1], &b = list.rows_[i];
    if (list.id_of(a) == list.id_of(b) && a.label != b.label) {
      fail(Exit::usage, "{}: '{}' has two labels, '{}' and '{}'", path, list.id_of(a),
           list.classes_[static_cast<size_t>(a.label)], list.classes_[static_cast<size_t>(b.label)]);
    }
  }
  list.rows_.erase(std::unique(list.rows_.begin(), list.rows_.end(),
                               [&](const Row& a, const Row& b) { return list.id_of(a) == list.id_of(b); }),
                   list.rows_.end());
  return list;
}

int32_t LabelList::find(std::string_view id) {
  const auto it = std::lower_bound(rows_.begin(), rows_.end(), id,
                                   [&](const Row& row, std::string_view wanted) { return id_of(row) < wanted; });
  if (it == rows_.end() || id_of(*it) != id) return -1;
  if (it->label >= 0) it->label = ~it->label;
  return ~it->label;
}

int64_t LabelList::unused() const {
  return std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.label >= 0; });
}

std::vector<std::string> sorted_classes(std::vector<std::string> names) {
  const bool numbers =
      std::all_of(names.begin(), names.end(), [](const std::string& name) { return parse_int(name).has_value(); });
  std::sort(names.begin(), names.end(), [numbers](const std::string& a, const std::string& b) {
    if (numbers && *parse_int(a) != *parse_int(b)) return *parse_int(a) < *parse_int(b);
    return a < b;
  });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace lepton
