#pragma once
// What both file formats share: format and version attributes, /meta, lists of strings.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "io/hdf5.h"

namespace lepton {

constexpr int64_t kFormatVersion = 1;

// Whether a data set is of version 1 and so covered by content_sha256; other names are ignored.
bool is_of_dataset(const std::string& path);
bool is_of_model(const std::string& path);

// Throws Error(mismatch) unless the root says format, version 1, complete.
void check_format(const H5Contents& file, const std::string& format);
std::string root_text(const H5Contents& file, const std::string& name);  // "" if absent

bool has(const H5Contents& file, const std::string& path);
std::string read_text(const H5Contents& file, const std::string& path);                  // "" if absent
std::vector<std::string> read_strings(const H5Contents& file, const std::string& path);  // empty if absent
std::vector<float> read_floats(const H5Contents& file, const std::string& path);         // empty if absent

RecipeParts read_parts(const H5Contents& file);  // /meta/parts/NAME
void write_parts(H5Writer& out, const RecipeParts& parts);
void write_floats(H5Writer& out, const std::string& path, const std::vector<float>& values);
// Root attributes; complete = 1 is the last thing written.
void finish_format(H5Writer& out, const std::string& format, const std::string& task,
                   const std::string& content_sha256);

}  // namespace lepton
