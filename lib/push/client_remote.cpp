// Batches: many small objects in one process of the client, large ones in processes of their own beside it.
#include <sys/stat.h>

#include <functional>

#include "base/error.h"
#include "push/client.h"

namespace lepton {
namespace {

constexpr size_t kMostInBatch = 1000;
constexpr int64_t kMostBatchBytes = int64_t{512} << 20;
constexpr size_t kFewDownloads = 3;  // not worth a listing

bool has_size(const std::string& file, int64_t size) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 && status.st_size == size;
}

// Parts of so many items and bytes at most, in order.
template <class Item>
std::vector<std::span<const Item>> parts_of(const std::vector<Item>& items) {
  std::vector<std::span<const Item>> parts;
  const std::span<const Item> all(items);
  size_t begin = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > begin && (i - begin >= kMostInBatch || bytes + items[i].size > kMostBatchBytes)) {
      parts.push_back(all.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += items[i].size;
  }
  if (begin < items.size()) parts.push_back(all.subspan(begin));
  return parts;
}

}  // namespace

void ClientRemote::put_many(std::span<const Upload> uploads) {
  std::vector<Upload> small, large;
  for (const Upload& upload : uploads) (upload.size < single_from_ ? small : large).push_back(upload);
  if (small.size() == 1) {
    large.push_back(small[0]);
    small.clear();
  }
  const auto batches = parts_of(small);
  in_parallel(batches.size() + large.size(), client_.scripting() ? 1 : client_.options().parallel, [&](size_t i) {
    if (i < batches.size())
      put_batch(batches[i]);
    else
      put(large[i - batches.size()], {});
  });
}

void ClientRemote::get_many(std::span<const Download> downloads) {
  std::vector<Download> wanted;  // an earlier try may have brought some
  for (const Download& download : downloads) {
    if (!has_size(download.file, download.size)) wanted.push_back(download);
  }
  const int parallel = client_.options().parallel;
  if (wanted.size() > kFewDownloads) {
    const auto batches = parts_of(wanted);
    in_parallel(batches.size(), parallel, [&](size_t i) {
      const Staging folder(client_, Staging::Use::downloads);
      const std::vector<std::string> places = get_batch(batches[i], folder.path());
      for (size_t k = 0; k < places.size(); ++k) {
        if (has_size(places[k], batches[i][k].size)) move_file(places[k], batches[i][k].file);
      }
    });
  }
  in_parallel(wanted.size(), parallel, [&](size_t i) {
    if (has_size(wanted[i].file, wanted[i].size) || get(wanted[i].key, wanted[i].file)) return;
    fail(Exit::integrity, "{}: is missing", object_text(client_.destination(), wanted[i].key));
  });
}

bool ClientRemote::write(const std::vector<std::string>& argv, const std::string& key, const Condition& condition) {
  if (client_.scripting()) {
    client_.script(argv);
    return true;
  }
  const Client::Answer answer = client_.run(Verb::write, argv, key);
  if (answer.cause == Cause::none) return true;
  // An object that is gone is no longer as it was.
  if (condition.kind != Condition::Kind::always) return false;
  client_.raise(Verb::write, answer.cause, key, "although nothing was asked of it");
}

}  // namespace lepton
