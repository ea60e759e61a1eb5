#include "io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace lepton {
namespace {

struct Packed {
  std::string name, content;
  unsigned type = AE_IFREG;
};

class ArchiveFile : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  void pack(const std::vector<Packed>& members, bool zip, bool gzip) {
    archive* out = archive_write_new();
    zip ? archive_write_set_format_zip(out) : archive_write_set_format_ustar(out);
    if (gzip) archive_write_add_filter_gzip(out);
    ASSERT_EQ(archive_write_open_filename(out, path_.c_str()), ARCHIVE_OK);
    for (const Packed& member : members) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, member.name.c_str());
      archive_entry_set_filetype(entry, member.type);
      archive_entry_set_perm(entry, 0644);
      if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, "elsewhere");
      archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
      ASSERT_EQ(archive_write_header(out, entry), ARCHIVE_OK);
      archive_write_data(out, member.content.data(), member.content.size());
      archive_entry_free(entry);
    }
    archive_write_free(out);
  }
  FileDescriptor open() const { return FileDescriptor(::open(path_.c_str(), O_RDONLY)); }
  std::string path_ = testing::TempDir() + "archive." + std::to_string(::getpid());
};

std::string contents(ArchiveReader& reader) {
  std::string text;
  for (ArchiveMember member; reader.next(member);) {
    text += member.path + "=" + std::string(member.bytes.begin(), member.bytes.end()) + member.problem + ";";
  }
  return text;
}

TEST_F(ArchiveFile, MembersInOrderTwice) {
  const std::string large(3'000'000, 'y');
  for (const auto& [zip, gzip] : {std::pair{false, false}, {false, true}, {true, false}}) {
    pack({{"./b/1", "one"}, {"a/", "", AE_IFDIR}, {"/a/2", ""}, {"big", large}}, zip, gzip);
    ArchiveReader reader(open(), path_, {});
    for (int pass = 0; pass < 2; ++pass) {
      EXPECT_EQ(contents(reader), "b/1=one;a/2=;big=" + large + ";");
      reader.rewind();
    }
  }
}

TEST_F(ArchiveFile, LinksAndLargeMembersAreProblemsOfTheirOwn) {
  pack({{"link", "", AE_IFLNK}, {"large", "12345"}, {"fits", "1234"}}, false, true);
  ArchiveReader reader(open(), path_, {10, 4});
  EXPECT_EQ(contents(reader),
            "link=is a link or special file inside an archive;large=holds more than the 4 bytes allowed "
            "(--max-file-bytes);fits=1234;");
}

TEST_F(ArchiveFile, TooManyMembersEndTheRun) {
  pack({{"1", ""}, {"2", ""}, {"3", ""}}, false, false);
  ArchiveReader reader(open(), path_, {2, 100});
  EXPECT_THROW(contents(reader), Error);
}

TEST_F(ArchiveFile, CutShort) {
  std::string noise(100'000, '\0');
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * i * 2654435761U >> 13);
  for (const bool gzip : {false, true}) {
    pack({{"a/1", noise}, {"a/2", noise}}, false, gzip);
    std::filesystem::resize_file(path_, std::filesystem::file_size(path_) * 2 / 3);
    ArchiveReader reader(open(), path_, {});
    try {
      contents(reader);
      ADD_FAILURE() << gzip;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::integrity);
    }
  }
}

}  // namespace
}  // namespace lepton
