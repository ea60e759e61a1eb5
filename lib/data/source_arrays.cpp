// Sources whose samples are pixels already: IDX pairs and CIFAR batches.
#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "data/source_kinds.h"
#include "io/cifar.h"
#include "io/idx.h"

namespace lepton {
namespace {

std::string without_gz(const std::string& path) {
  std::string name = base_name(path);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name;
}

int digits_of(int64_t count) { return static_cast<int>(fmt::formatted_size("{}", std::max<int64_t>(count - 1, 0))); }

class IdxSource : public Source {
 public:
  IdxSource(FileDescriptor images, FileDescriptor labels, const std::string& images_name,
            const std::string& labels_name)
      : images_(std::move(images), images_name),
        labels_(std::move(labels), labels_name),
        stem_(without_gz(images_name)),
        digits_(digits_of(images_.size())) {
    if (images_.item_shape().rank() == 0) fail(Exit::no_input, "{}: holds labels, expected images", images_name);
    if (labels_.item_shape().rank() != 0) fail(Exit::no_input, "{}: holds images, expected labels", labels_name);
    if (images_.size() != labels_.size()) {
      fail(Exit::integrity, "{} holds {} images but {} {} labels", images_name, with_commas(images_.size()),
           labels_name, with_commas(labels_.size()));
    }
    for (int label = 0; label < 256; ++label) groups_.push_back(std::to_string(label));
  }
  void rewind() override {
    images_.rewind();
    labels_.rewind();
    position_ = 0;
  }
  bool next(Item& item) override {
    if (position_ == images_.size()) {
      images_.finish();
      labels_.finish();
      return false;
    }
    images_.read_next(item.bytes);
    labels_.read_next(label_);
    item.group = label_[0];
    item.raw = images_.item_shape();
    item.id = fmt::format("{}/{:0{}}", stem_, position_, digits_);
    item.index = position_++;
    item.problem.clear();
    return true;
  }
  int64_t count() const override { return images_.size(); }
  GroupKind kind() const override { return GroupKind::classes; }
  const std::vector<std::string>& groups() const override { return groups_; }

 private:
  IdxReader images_, labels_;
  std::string stem_;
  int digits_;
  std::vector<uint8_t> label_;
  std::vector<std::string> groups_;
  int64_t position_ = 0;
};

class CifarSource : public Source {
 public:
  CifarSource(FileDescriptor fd, const std::string& path, const std::vector<std::string>& classes)
      : fd_(std::move(fd)),
        path_(path),
        stem_(without_gz(path)),
        count_(file_size(fd_.get()) / kCifarRecord),
        digits_(digits_of(count_)),
        groups_(classes) {
    for (int label = 0; groups_.size() < kCifarClasses; ++label) groups_.push_back(std::to_string(label));
  }
  void rewind() override { position_ = 0; }
  bool next(Item& item) override {
    if (position_ == count_) return false;
    item.group = read_cifar_record(fd_, path_, position_, item.bytes);
    item.raw = {kCifarSide, kCifarSide, 3};
    item.id = fmt::format("{}/{:0{}}", stem_, position_, digits_);
    item.index = position_++;
    item.problem.clear();
    return true;
  }
  int64_t count() const override { return count_; }
  GroupKind kind() const override { return GroupKind::classes; }
  const std::vector<std::string>& groups() const override { return groups_; }

 private:
  FileDescriptor fd_;
  std::string path_, stem_;
  int64_t count_;
  int digits_;
  std::vector<std::string> groups_;
  int64_t position_ = 0;
};

}  // namespace

std::unique_ptr<Source> idx_source(FileDescriptor images, FileDescriptor labels, const std::string& images_name,
                                   const std::string& labels_name) {
  return std::make_unique<IdxSource>(std::move(images), std::move(labels), images_name, labels_name);
}

std::unique_ptr<Source> cifar_source(FileDescriptor fd, const std::string& name,
                                     const std::vector<std::string>& classes) {
  return std::make_unique<CifarSource>(std::move(fd), name, classes);
}

}  // namespace lepton
