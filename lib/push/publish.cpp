#include "push/publish.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "io/process.h"
#include "push/faults.h"
#include "push/state.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMostReleases = 100;  // a pointer is read often and stays small

// One attempt to publish; compose() may be called again when what the destination was believed to hold is not there.
class Publication {
 public:
  Publication(Store& store, const std::string& destination, const std::vector<LocalFile>& files, Sealer& sealer,
              const PublishOptions& options)
      : store_(store), destination_(destination), files_(files), sealer_(sealer), options_(options) {}

  PublishResult run();

 private:
  void read_current();
  void compose();
  void carry_over(std::map<std::string, ManifestFile>& files);
  ManifestFile entry_of(const LocalFile& file);
  void find_reusable();
  bool unchanged() const;
  std::vector<Upload> uploads();
  void send(const std::vector<Upload>& uploads);
  std::set<std::string> faults(const std::map<std::string, Upload>& sent);
  void list_when_nobody_prunes();
  void deliver();
  void put_manifest();
  bool move_pointer();
  void afterwards();

  Store& store_;
  const std::string& destination_;
  const std::vector<LocalFile>& files_;
  Sealer& sealer_;
  const PublishOptions& options_;
  std::optional<Published> now_;
  std::set<std::string> broken_;                 // objects of the current release that the destination does not hold
  std::map<std::string, std::string> reusable_;  // content → object
  Manifest next_;
  std::map<std::string, std::string> source_;  // object → local file with its bytes
  std::vector<StoredObject> listing_;
  bool listed_ = false;
  std::string manifest_file_, manifest_hash_;
  PublishResult result_;
};

bool is_plain_path(const std::string& path) {
  return path.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._- ") ==
         std::string::npos;
}

void Publication::read_current() {
  now_ = store_.read(options_.release, sealer_.options());
  if (now_ && !now_->known) {
    now_->known = recall(options_.state_folder, destination_, now_->current().manifest, now_->manifest);
  }
}

// Which contents the current release holds in objects that may be used again.
void Publication::find_reusable() {
  reusable_.clear();
  if (!now_ || !now_->known || now_->manifest.encrypted() != sealer_.options().encrypts()) return;
  if (now_->manifest.encrypted() && now_->manifest.recipients != sealer_.recipients()) return;
  for (const ManifestFile& f : now_->manifest.files) {
    if (!broken_.contains(f.object)) reusable_[f.sha256] = f.object;
  }
}

ManifestFile Publication::entry_of(const LocalFile& file) {
  ManifestFile entry{file.name, file.hashes.size, file.hashes.sha256, file.hashes.sha256,
                     file.type, file.format,      file.content_sha256};
  ManifestObject object{file.hashes.sha256, file.hashes.md5, file.hashes.size};
  if (const auto before = reusable_.find(file.hashes.sha256); before != reusable_.end()) {
    entry.object = before->second;
    object = *now_->manifest.find(before->second);
  } else if (sealer_.options().encrypts()) {
    const Sealer::Sealed& sealed = sealer_.seal(file.path, file.hashes.sha256);
    object = {sealed.hashes.sha256, sealed.hashes.md5, sealed.hashes.size};
    entry.object = object.sha256;
    source_[entry.object] = sealed.path;
  } else {
    source_[entry.object] = fs::absolute(file.path).string();
  }
  next_.objects.push_back(object);
  return entry;
}

// Without --delete a release also holds what the one before it held.
void Publication::carry_over(std::map<std::string, ManifestFile>& files) {
  if (!now_ || options_.remove_missing) return;
  const Manifest& before = now_->manifest;
  if (!now_->known) {
    if (before.objects.size() > next_.objects.size() && options_.warn) {
      options_.warn(destination_ +
                    ": what was published before is encrypted and cannot be listed here, so only the "
                    "files given now are in the new release; --identity FILE would keep the others");
    }
    return;
  }
  for (const ManifestFile& file : before.files) {
    if (files.contains(file.name)) continue;
    if (before.encrypted() != sealer_.options().encrypts() || before.recipients != sealer_.recipients()) {
      fail(Exit::usage,
           "{}: '{}' was published {}; name it too so that it is sent again, or say --delete to leave it out",
           destination_, escape_tsv(file.name), before.encrypted() ? "for other recipients" : "without encryption");
    }
    if (!sealer_.options().sign_key.empty() && sealer_.options().allowed_signers.empty()) {
      fail(Exit::usage,
           "{}: '{}', published before, would be signed unseen; name it too, leave it out with --delete, or say with "
           "--allowed-signers whose signature it must have",
           destination_, escape_tsv(file.name));
    }
    if (broken_.contains(file.object)) {
      fail(Exit::integrity, "{}: '{}' is damaged there and not among the files given: push it again, or --delete it",
           destination_, escape_tsv(file.name));
    }
    files[file.name] = file;
    next_.objects.push_back(*before.find(file.object));
  }
}

void Publication::compose() {
  next_ = {
      .release = options_.release, .time = options_.time, .objects = {}, .files = {}, .recipients = {}, .sealed = {}};
  source_.clear();
  find_reusable();
  std::map<std::string, ManifestFile> files;
  for (const LocalFile& file : files_) files[file.name] = entry_of(file);
  carry_over(files);
  for (auto& [name, file] : files) next_.files.push_back(std::move(file));
  std::sort(next_.objects.begin(), next_.objects.end(),
            [](const ManifestObject& a, const ManifestObject& b) { return a.sha256 < b.sha256; });
  next_.objects.erase(std::unique(next_.objects.begin(), next_.objects.end()), next_.objects.end());
  next_.recipients = sealer_.recipients();
}

bool Publication::unchanged() const {
  if (!now_ || !now_->known || !broken_.empty()) return false;
  if (!sealer_.options().sign_key.empty() && now_->current().signature.empty()) return false;
  return now_->manifest.files == next_.files && now_->manifest.recipients == next_.recipients;
}

// What the current release does not already hold. Only that release is trusted: the pointer's condition fails if a
// prune or another publisher touched it, while an object that merely lies there may be on its way out.
std::vector<Upload> Publication::uploads() {
  std::vector<Upload> uploads;
  const std::string folder = store_.folder() + "/files";
  for (const ManifestObject& object : next_.objects) {
    if (now_ && now_->manifest.find(object.sha256) && !broken_.contains(object.sha256)) continue;
    // Clients never see a name that they could take for something else: a link by hash stands for it.
    const std::string& path = source_.at(object.sha256);
    uploads.push_back({object_key(object.sha256), is_plain_path(path) ? path : folder + "/" + object.sha256,
                       object.size, object.sha256, object.md5, "application/octet-stream"});
  }
  return uploads;
}

void Publication::send(const std::vector<Upload>& uploads) {
  if (uploads.empty()) return;
  for (const Upload& u : uploads) {
    const std::string& path = source_.at(u.sha256);
    if (u.file == path) continue;
    const std::string folder = store_.folder() + "/files";
    if (options_.script) {
      *options_.script +=
          shell_quoted({"mkdir", "-p", folder}) + "\n" + shell_quoted({"ln", "-sf", path, u.file}) + "\n";
    } else {
      fs::create_directories(folder);
      fs::remove(u.file);
      fs::create_symlink(path, u.file);
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  store_.remote().put_many(uploads);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
  if (options_.detail) {
    options_.detail(fmt::format("{}: sent {} of {} objects in {:.2f} s", destination_, uploads.size(),
                                next_.objects.size(), taken.count()));
  }
}

// Objects of the next release that the destination does not hold as they should be. Those sent by an earlier push were
// compared then: that they are there, of their size, is enough.
std::set<std::string> Publication::faults(const std::map<std::string, Upload>& sent) {
  list_when_nobody_prunes();
  std::map<std::string, int64_t> sizes;
  for (const StoredObject& object : listing_) sizes[object.key] = object.size;
  std::vector<ObjectCheck> checks;
  std::vector<ObjectFault> found;
  for (const ManifestObject& object : next_.objects) {
    const auto upload = sent.find(object.sha256);
    const auto there = sizes.find(object_key(object.sha256));
    if (upload != sent.end()) {
      checks.push_back({object, upload->second.file});
    } else if (there == sizes.end() || there->second != object.size) {
      found.push_back({object.sha256, there == sizes.end() ? "is missing" : "has another size than what was sent"});
    }
  }
  for (ObjectFault& fault : find_faults(store_, listing_, checks, options_.deep)) found.push_back(std::move(fault));
  std::set<std::string> faulty;
  for (const ObjectFault& fault : found) {
    faulty.insert(fault.object);
    if (!options_.warn) continue;
    options_.warn(store_.name_of(object_key(fault.object)) + ": " + fault.why + "; it is sent again");
  }
  return faulty;
}

void Publication::list_when_nobody_prunes() {
  constexpr auto kPause = std::chrono::seconds(2);
  for (bool told = false;; told = true) {
    listing_ = store_.remote().list("");
    listed_ = true;
    if (!prune_under_way(listing_)) return;
    if (!told && options_.warn) options_.warn(destination_ + ": another run is pruning; waiting for its end");
    if (const auto& stop = sealer_.options().stop; stop && stop()) fail(Exit::try_later, "{}: stopped", destination_);
    std::this_thread::sleep_for(kPause);
  }
}

// Sends and checks until the destination holds everything, at most three times.
void Publication::deliver() {
  constexpr int kRounds = 3;
  std::set<std::string> arrived, faulty;
  for (int round = 0; round < kRounds; ++round) {
    if (round > 0) compose();
    std::map<std::string, Upload> wanted;
    std::vector<Upload> now;
    for (Upload& u : uploads()) {
      if (!arrived.contains(u.sha256)) now.push_back(u);
      wanted[u.sha256] = std::move(u);
    }
    send(now);
    for (const Upload& u : now) {
      ++result_.objects;
      result_.bytes += u.size;
      arrived.insert(u.sha256);
    }
    if (options_.script) return;
    faulty = faults(wanted);
    if (faulty.empty()) return;
    broken_.insert(faulty.begin(), faulty.end());
    for (const std::string& hash : faulty) arrived.erase(hash);
  }
  fail(Exit::integrity, "{}: does not arrive as it was sent, three times; nothing was published",
       store_.name_of(object_key(*faulty.begin())));
}

void Publication::put_manifest() {
  if (sealer_.options().encrypts()) next_.sealed = encrypt_text(sealer_.options(), files_text(next_));
  const std::string text = manifest_text(next_);
  const FileHashes hashes = hash_text(text);
  manifest_hash_ = hashes.sha256;
  manifest_file_ = store_.folder() + "/manifest";
  store_.write_scratch(manifest_file_, text);
  store_.remote().put(
      {manifest_key(manifest_hash_), manifest_file_, hashes.size, hashes.sha256, hashes.md5, "application/json"}, {});
}

bool Publication::move_pointer() {
  Pointer pointer = now_ ? now_->pointer : Pointer{options_.release, {}};
  Release release{manifest_hash_, options_.time, std::ssize(next_.objects), 0, next_.encrypted(), {}};
  for (const ManifestObject& object : next_.objects) release.bytes += object.size;
  if (!sealer_.options().sign_key.empty() && !options_.script) {
    release.signature = sign_file(sealer_.options(), manifest_file_);
  }
  std::vector<Release>& releases = pointer.releases;
  std::erase_if(releases, [&](const Release& r) { return r.manifest == release.manifest; });
  releases.insert(releases.begin(), release);
  const size_t most = options_.keep > 0 ? static_cast<size_t>(options_.keep) : kMostReleases;
  if (releases.size() > most) releases.resize(most);
  return store_.replace_pointer(now_, pointer, listed_ ? &listing_ : nullptr);
}

// What can no longer undo the release, and so is told and not thrown.
void Publication::afterwards() {
  const auto tell = [&](const std::string& text) {
    if (options_.warn) options_.warn(text);
  };
  try {
    if (next_.encrypted()) remember(options_.state_folder, destination_, manifest_hash_, next_);
    if (const std::string open = store_.remote().public_access(); !open.empty()) tell(open);
    if (options_.keep > 0) prune(store_, options_.grace_seconds, options_.warn);
  } catch (const Error& error) {
    tell(std::string("published, but then: ") + error.what());
  }
}

PublishResult Publication::run() {
  read_current();
  compose();
  if (unchanged()) {
    result_.state = "unchanged";
    result_.manifest = now_->current().manifest;
    return result_;
  }
  deliver();
  put_manifest();
  result_.manifest = manifest_hash_;
  if (!move_pointer()) {
    result_.state = "conflict";
    return result_;
  }
  result_.state = options_.script ? "dry-run" : "pushed";
  if (options_.script) return result_;
  afterwards();
  return result_;
}

}  // namespace

PublishResult publish(Store& store, const std::string& destination, const std::vector<LocalFile>& files, Sealer& sealer,
                      const PublishOptions& options) {
  return Publication(store, destination, files, sealer, options).run();
}

}  // namespace lepton
