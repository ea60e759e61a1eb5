#pragma once
// Bytes as they come: from files, compressed or not, from pipes, from memory.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace lepton {

// Fills a part of the span and says how much; 0 only at the end. May wait where nothing has come yet.
using ByteSource = std::function<size_t(std::span<uint8_t>)>;

// A file from its start, gzip or not; "-", pipes and devices as they come (not compressed: Error(no_input) says so).
// While nothing comes, `wanted` is asked ten times a second whether to go on waiting; false is the end.
// Error(no_input) where it cannot be opened.
ByteSource open_bytes(const std::string& path, std::function<bool()> wanted = [] { return true; });
// A seekable descriptor from its start, gzip or not; the descriptor itself is left open.
ByteSource file_bytes(int fd, const std::string& name);
ByteSource memory_bytes(std::string_view text);  // which must live as long

}  // namespace lepton
