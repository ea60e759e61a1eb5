#pragma once
// What lepton-prep does with datasets that exist: count, list, export.
#include <cstdint>
#include <span>
#include <string>

#include "io/files.h"

namespace lepton {

// Samples of each class in each split, as TSV on standard output.
void print_stats(const std::string& path);
// Lines of id, label and split; `name` may end in ":split[,split]".
void list_samples(const std::string& name);
// Images as "SPLIT-NUMBER-CLASS.png" in a folder; the first `limit` of each split, 0 = all.
void export_images(const std::string& name, const std::string& folder, int64_t limit);

// Fills a file and puts it in place.
void write_whole(AtomicFile& file, std::span<const uint8_t> bytes);

}  // namespace lepton
