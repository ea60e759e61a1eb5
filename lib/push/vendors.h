#pragma once
// The kinds of destination: a new one is a file with one of these functions and a row in the table of destination.cpp.
#include <functional>
#include <memory>
#include <string>

#include "push/remote.h"

namespace lepton {

std::unique_ptr<Remote> open_directory(const Destination& destination, const RemoteOptions& options);
std::unique_ptr<Remote> open_s3(const Destination& destination, const RemoteOptions& options);
std::unique_ptr<Remote> open_gcs(const Destination& destination, const RemoteOptions& options);
std::unique_ptr<Remote> open_azure(const Destination& destination, const RemoteOptions& options);

// Below the destination, as messages name it: "s3://bucket/models/" + "objects/..".
std::string object_text(const Destination& destination, const std::string& key);
// The prefix and the key; Error(integrity) for a key that would leave the prefix or that a client would not take as is.
std::string full_key(const Destination& destination, const std::string& key);

// A lock, or a file that an output or a pull has not finished: never published, never listed.
bool is_own_leftover(const std::string& name);

// work(0) ... work(count - 1) on at most `threads` threads; after the first error no further one begins, and it is
// thrown.
void in_parallel(size_t count, int threads, const std::function<void(size_t)>& work);

// Onto a path that may be on another file system; complete or not at all. Error(output).
void move_file(const std::string& from, const std::string& to);

}  // namespace lepton
