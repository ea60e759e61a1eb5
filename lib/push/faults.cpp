#include "push/faults.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "push/hashes.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kBatchBytes = int64_t{1} << 30;
constexpr size_t kBatchObjects = 1000;

enum class Verdict { good, bad, open };

Verdict judge(const StoredObject& stored, const ObjectCheck& check) {
  if (!stored.sha256.empty()) return stored.sha256 == check.wanted.sha256 ? Verdict::good : Verdict::bad;
  // What looks like an MD5 is none where the provider encrypts by a key of its own: a wrong one decides nothing.
  if (!stored.md5.empty() && stored.md5 == check.wanted.md5) return Verdict::good;
  if (!stored.crc32c.empty() && !check.local.empty()) {
    return stored.crc32c == crc32c_file(check.local) ? Verdict::good : Verdict::bad;
  }
  return Verdict::open;
}

// What is wrong as far as a description tells; `open` is set where only the bytes can.
std::string described_fault(Store& store, const ObjectCheck& check, const StoredObject* listed, bool deep, bool& open) {
  if (!listed) return "is missing";
  if (listed->size != check.wanted.size) {
    return fmt::format("holds {} bytes instead of {}", listed->size, check.wanted.size);
  }
  Verdict verdict = judge(*listed, check);
  if (verdict == Verdict::open && !deep) {
    const std::optional<StoredObject> head = store.remote().head(listed->key);
    if (!head) return "is missing";
    verdict = judge(*head, check);
  }
  open = verdict == Verdict::open || deep;
  return verdict == Verdict::bad ? "has another hash than what was sent" : "";
}

// Leaves out what the client itself finds damaged or missing.
void fetch(Store& store, std::span<const Download> batch) {
  try {
    return store.remote().get_many(batch);
  } catch (const Error& error) {
    if (error.status() != Exit::integrity) throw;
  }
  for (const Download& d : batch) {
    fs::remove(d.file);
    try {
      store.remote().get(d.key, d.file);
    } catch (const Error& error) {
      if (error.status() != Exit::integrity) throw;
    }
  }
}

void read_back(Store& store, std::span<const ManifestObject> objects, std::vector<ObjectFault>& faults) {
  const std::string folder = store.folder() + "/back";
  for (size_t first = 0; first < objects.size();) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::vector<Download> batch;
    int64_t bytes = 0;
    for (; first < objects.size() && batch.size() < kBatchObjects && (batch.empty() || bytes < kBatchBytes); ++first) {
      const ManifestObject& object = objects[first];
      batch.push_back({object_key(object.sha256), folder + "/" + object.sha256, object.size});
      bytes += object.size;
    }
    fetch(store, batch);
    for (const Download& d : batch) {
      const std::string hash = fs::path(d.file).filename();
      const bool same = fs::exists(d.file) && hash_file(d.file).sha256 == hash;
      if (!same) faults.push_back({hash, "has other bytes than what was sent"});
    }
  }
  fs::remove_all(folder);
}

}  // namespace

std::vector<ObjectFault> find_faults(Store& store, std::span<const StoredObject> listing,
                                     std::span<const ObjectCheck> checks, bool deep) {
  std::map<std::string, const StoredObject*> by_key;
  for (const StoredObject& object : listing) by_key[object.key] = &object;
  std::vector<ObjectFault> faults;
  std::vector<ManifestObject> open;
  for (const ObjectCheck& check : checks) {
    const auto it = by_key.find(object_key(check.wanted.sha256));
    bool in_doubt = false;
    std::string why = described_fault(store, check, it == by_key.end() ? nullptr : it->second, deep, in_doubt);
    if (!why.empty())
      faults.push_back({check.wanted.sha256, std::move(why)});
    else if (in_doubt)
      open.push_back(check.wanted);
  }
  read_back(store, open, faults);
  return faults;
}

}  // namespace lepton
