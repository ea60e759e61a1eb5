#pragma once
// The sources behind open_sources(), one constructor function each.
#include <memory>
#include <string>
#include <vector>

#include "data/source.h"
#include "io/files.h"

namespace lepton {

std::unique_ptr<Source> folder_source(const std::string& path, const SourceLimits& limits);
std::unique_ptr<Source> archive_source(FileDescriptor fd, const std::string& name, const SourceLimits& limits);
// `images` and `labels` are readable descriptors of two IDX files; ids are "STEM/NUMBER".
std::unique_ptr<Source> idx_source(FileDescriptor images, FileDescriptor labels, const std::string& images_name,
                                   const std::string& labels_name);
// One batch file; `classes` its ten names, or empty for numbers.
std::unique_ptr<Source> cifar_source(FileDescriptor fd, const std::string& name,
                                     const std::vector<std::string>& classes);

std::string base_name(std::string_view path);  // after the last slash; of "a/b/" it is "b"

}  // namespace lepton
