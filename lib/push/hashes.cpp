#include "push/hashes.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "io/files.h"
#include "io/sha256.h"

namespace lepton {
namespace {

constexpr size_t kBlock = size_t{1} << 20;

class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) != 1) fail(Exit::failed, "libcrypto has no MD5");
  }
  void update(std::span<const uint8_t> bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string finish() {
    std::array<uint8_t, 16> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return to_hex(digest);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

void each_block(const std::string& path, const std::function<void(std::span<const uint8_t>)>& take) {
  const FileDescriptor file = open_input(path);
  std::vector<uint8_t> block(kBlock);
  for (;;) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
    if (got == 0) return;
    take(std::span(block).first(static_cast<size_t>(got)));
  }
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82F63B78U : 0U);
    table[i] = c;
  }
  return table;
}

uint32_t crc32c(uint32_t crc, std::span<const uint8_t> bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xFFU];
  return crc;
}

}  // namespace

FileHashes hash_file(const std::string& path) {
  FileHashes hashes;
  Sha256 sha;
  Md5 md5;
  each_block(path, [&](std::span<const uint8_t> block) {
    sha.update(block);
    md5.update(block);
    hashes.size += std::ssize(block);
  });
  hashes.sha256 = to_hex(sha.finish());
  hashes.md5 = md5.finish();
  return hashes;
}

FileHashes hash_text(std::string_view text) {
  Md5 md5;
  md5.update(bytes_of(text));
  return {static_cast<int64_t>(text.size()), to_hex(sha256(bytes_of(text))), md5.finish()};
}

std::string crc32c_file(const std::string& path) {
  uint32_t crc = ~0U;
  each_block(path, [&](std::span<const uint8_t> block) { crc = crc32c(crc, block); });
  return fmt::format("{:08x}", ~crc);
}

std::string crc32c_text(std::string_view text) { return fmt::format("{:08x}", ~crc32c(~0U, bytes_of(text))); }

}  // namespace lepton
