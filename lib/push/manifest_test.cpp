#include "push/manifest.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "push/hashes.h"

namespace lepton {
namespace {

Manifest small() {
  const FileHashes one = hash_text("one"), two = hash_text("two");
  Manifest m{
      .release = "latest", .time = "2030-01-02T03:04:05Z", .objects = {}, .files = {}, .recipients = {}, .sealed = {}};
  for (const FileHashes& h : {one, two}) m.objects.push_back({h.sha256, h.md5, h.size});
  if (m.objects[1].sha256 < m.objects[0].sha256) std::swap(m.objects[0], m.objects[1]);
  m.files = {{"a b\n\"ü", 3, one.sha256, one.sha256, "text/plain", "", ""},
             {"art/-m.h5", 3, two.sha256, two.sha256, "application/x-hdf5", "lepton-model", "00ff"}};
  return m;
}

TEST(Manifest, ComesBackAsItWas) {
  const Manifest m = small();
  const Manifest back = parse_manifest(manifest_text(m), "m");
  EXPECT_EQ(back.files, m.files);
  EXPECT_EQ(back.objects, m.objects);
  EXPECT_EQ(back.time, m.time);
  EXPECT_EQ(manifest_text(back), manifest_text(m));
}

TEST(Manifest, SealedFilesComeBackOnlyWhenOpened) {
  Manifest m = small();
  m.recipients = "someone";
  const std::string inside = files_text(m);
  m.sealed = "-----BEGIN AGE";
  Manifest back = parse_manifest(manifest_text(m), "m");
  EXPECT_TRUE(back.encrypted());
  EXPECT_TRUE(back.files.empty());
  EXPECT_EQ(manifest_text(m).find("art/"), std::string::npos);
  parse_files(inside, "m", back);
  EXPECT_EQ(back.files, m.files);
  EXPECT_EQ(back.recipients, "someone");
}

TEST(Manifest, RefusesWhatIsNotOurs) {
  const std::string good = manifest_text(small());
  const struct {
    const char *from, *to;
    Exit status;
  } kCases[] = {
      {"{", "", Exit::integrity},
      {"lepton-manifest", "other-manifest", Exit::integrity},
      {"\"version\": 1", "\"version\": 2", Exit::mismatch},
      {"\"version\": 1", "\"version\": -1", Exit::integrity},
      {"\"version\": 1", "\"version\": \"1\"", Exit::integrity},
      {"art/-m.h5", "art/../m.h5", Exit::integrity},
      {"art/-m.h5", "/art/m.h5", Exit::integrity},
      {"art/-m.h5", "art//m.h5", Exit::integrity},
      {"art/-m.h5", "", Exit::integrity},
      {"art/-m.h5", "A", Exit::integrity},  // out of order
      {"\"objects\"", "\"subjects\"", Exit::integrity},
      {"\"files\": [", "\"files\": [7,", Exit::integrity},
      {"\"size\": 3", "\"size\": 4", Exit::integrity},  // of a file, not of its object
      {"\"size\": 3", "\"size\": 1e30", Exit::integrity},
      {"\"md5\": \"", "\"md5\": \"x", Exit::integrity},
      {"\"sha256\": \"", "\"sha256\": \"A", Exit::integrity},
  };
  for (const auto& c : kCases) {
    std::string text = good;
    text.replace(text.find(c.from), std::string(c.from).size(), c.to);
    try {
      parse_manifest(text, "m");
      ADD_FAILURE() << c.from << " -> " << c.to;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), c.status) << error.what();
    }
  }
}

TEST(Pointer, ComesBackAsItWas) {
  const std::string hash = hash_text("x").sha256;
  const Pointer p{"latest",
                  {{hash, "then", 2, 30, true, "-----BEGIN SSH SIGNATURE-----\n"}, {hash, "", 1, 1, false, ""}}};
  EXPECT_EQ(parse_pointer(pointer_text(p), "p").releases, p.releases);
  EXPECT_THROW(parse_pointer("[]", "p"), Error);
  EXPECT_THROW(parse_pointer(pointer_text({"latest", {}}), "p"), Error);
}

TEST(Names, WhatMayBeCreatedBelowAFolder) {
  for (const char* good : {"a", "a/b", "-x", " ", "a b/ü\n", "..a", "a/...", "~"}) {
    EXPECT_TRUE(is_safe_file_name(good)) << good;
  }
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "\xff"}) {
    EXPECT_FALSE(is_safe_file_name(bad)) << bad;
  }
  EXPECT_FALSE(is_safe_file_name(std::string("a\0b", 3)));
  for (const char* good : {"latest", "v1.2-rc_3", "7"}) EXPECT_TRUE(is_release_name(good)) << good;
  for (const char* bad : {"", ".x", "-x", "a/b", "a b", "ü"}) EXPECT_FALSE(is_release_name(bad)) << bad;
}

}  // namespace
}  // namespace lepton
