#include "lepton-prep-kinds.h"

#include <array>
#include <string_view>

#include "base/error.h"
#include "cli/options.h"
#include "lepton-prep-options.h"

namespace lepton {
namespace {

constexpr unsigned bit(InputKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr unsigned kImages = bit(InputKind::images), kRecordings = bit(InputKind::recordings),
                   kDocuments = bit(InputKind::documents), kLines = bit(InputKind::lines),
                   kTables = bit(InputKind::tables);
constexpr unsigned kFiles = kImages | kRecordings | kDocuments, kTexts = kDocuments | kLines,
                   kAll = kFiles | kLines | kTables;

struct OptionRow {
  const char* name;
  unsigned kinds;  // for which it means something
  bool settled;    // part of the recipe
};

constexpr OptionRow kRows[] = {
    {"train", kAll, false},
    {"val", kAll, false},
    {"test", kAll, false},
    {"files-from", kFiles, false},
    {"files0-from", kFiles, false},
    {"labels", kFiles, false},
    {"label-regex", kFiles, false},
    {"class-names", kAll, false},
    {"type", kAll, false},
    {"label", kLines | kTables, false},
    {"recipe", kAll, false},
    {"split", kAll, false},
    {"split-key", kAll, false},
    {"size", kImages, true},
    {"resize", kImages, true},
    {"gray", kImages, true},
    {"max-pixels", kImages, true},
    {"rate", kRecordings, true},
    {"duration", kRecordings, true},
    {"crop", kRecordings, true},
    {"trim", kRecordings, true},
    {"level", kRecordings, true},
    {"features", kRecordings, true},
    {"bands", kRecordings, true},
    {"coefficients", kRecordings, true},
    {"window", kRecordings, true},
    {"hop", kRecordings, true},
    {"max-seconds", kRecordings, true},
    {"text", kLines, true},
    {"tokens", kTexts, true},
    {"vocabulary", kTexts, true},
    {"min-count", kTexts, true},
    {"word-ngrams", kTexts, true},
    {"char-ngrams", kTexts, true},
    {"buckets", kTexts, true},
    {"length", kTexts, true},
    {"encoding", kTexts, true},
    {"nfkc", kTexts, true},
    {"case", kTexts, true},
    {"max-text", kTexts, true},
    {"task", kTables, true},
    {"id", kTables, false},
    {"column", kTables, true},
    {"na", kTables, true},
    {"max-levels", kTables, true},
    {"header-line", kTables, false},
    {"max-errors", kAll, false},
    {"error-report", kAll, false},
    {"max-members", kFiles, false},
    {"max-file-bytes", kFiles, false},
};

constexpr std::array<const char*, 5> kNames = {"images", "recordings", "texts a file each",
                                               "texts of lines, rows or objects", "tables"};

std::string names_of(unsigned kinds) {
  if ((kinds & kTexts) == kTexts && (kinds & ~kTexts) == 0) return "texts";
  std::string names;
  for (size_t k = 0; k < kNames.size(); ++k) {
    if ((kinds >> k & 1U) != 0) names += (names.empty() ? "" : ", ") + std::string(kNames[k]);
  }
  return names;
}

}  // namespace

void check_kind(const CommandLine& line, InputKind kind) {
  for (const OptionRow& row : kRows) {
    if ((row.kinds & bit(kind)) != 0 || !line.given(row.name)) continue;
    fail(Exit::usage, "--{} is for {}: the inputs are {}", row.name, names_of(row.kinds),
         kNames[static_cast<size_t>(kind)]);
  }
}

void check_tokens(const CommandLine& line, const std::string& tokens) {
  struct Row {
    const char* name;
    std::string_view kinds;
  };
  constexpr Row kOfTokens[] = {{"vocabulary", "words or subword"},
                               {"min-count", "words"},
                               {"word-ngrams", "ngrams"},
                               {"char-ngrams", "ngrams"},
                               {"buckets", "ngrams"}};
  for (const Row& row : kOfTokens) {
    if (row.kinds.find(tokens) != std::string_view::npos || !line.given(row.name)) continue;
    fail(Exit::usage, "--{} is for --tokens {}: the texts are cut into {}", row.name, row.kinds, tokens);
  }
}

void check_settled(const CommandLine& line, const PrepCommand& command, const KnownRecipe& known) {
  if (!command.type.empty() && command.type != known.kind)
    fail(Exit::usage, "--type {}: the recipe of {} is of kind {}", command.type, known.file, known.kind);
  for (const OptionRow& row : kRows) {
    if (row.settled && line.given(row.name))
      fail(Exit::usage, "--{}: --recipe {} settles how inputs are prepared; leave it out", row.name, known.file);
  }
}

void check_looking(const CommandLine& line, const std::string& looking) {
  for (const OptionRow& row : kRows) {
    if (line.given(row.name)) fail(Exit::usage, "--{} has no effect: {} makes no dataset", row.name, looking);
  }
}

}  // namespace lepton
