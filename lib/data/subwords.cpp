// The only place that speaks to SentencePiece: datasets and models hold pieces and scores, never its own format.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/text_fit.h"

namespace lepton {
namespace {

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& texts) : texts_(texts) {}
  bool done() const override { return at_ == texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& texts_;
  size_t at_ = 0;
};

// The number behind "is smaller than required_chars. 1000 vs ", or 0.
int64_t required(const std::string& message) {
  const size_t at = message.find("required_chars. ");
  const size_t versus = at == std::string::npos ? at : message.find(" vs ", at);
  if (versus == std::string::npos) return 0;
  const size_t begin = versus + 4, end = message.find_first_not_of("0123456789", begin);
  return parse_int(message.substr(begin, end - begin)).value_or(0);
}

}  // namespace

std::vector<Piece> train_subwords(const std::vector<std::string>& texts, int64_t size) {
  std::string model;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::unordered_map<std::string, std::string> settings = {{"model_type", "unigram"},
                                                                   {"vocab_size", std::to_string(size)},
                                                                   {"hard_vocab_limit", "false"},
                                                                   {"normalization_rule_name", "identity"},
                                                                   {"num_threads", "1"},
                                                                   {"unk_id", "0"},
                                                                   {"bos_id", "-1"},
                                                                   {"eos_id", "-1"},
                                                                   {"pad_id", "-1"},
                                                                   {"max_sentence_length", "1000000"},
                                                                   {"minloglevel", "3"}};
    Sentences sentences(texts);
    const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &sentences, &model);
    if (status.ok()) break;
    const int64_t needed = required(status.ToString());
    if (attempt > 0 || needed <= size) fail(Exit::failed, "training sub-words: {}", status.ToString());
    size = needed;
  }
  sentencepiece::SentencePieceProcessor processor;
  if (const auto status = processor.LoadFromSerializedProto(model); !status.ok())
    fail(Exit::failed, "training sub-words: {}", status.ToString());
  std::vector<Piece> pieces;
  for (int i = 0; i < processor.GetPieceSize(); ++i) {
    if (!processor.IsUnknown(i) && !processor.IsControl(i))
      pieces.push_back({processor.IdToPiece(i), processor.GetScore(i)});
  }
  return pieces;
}

}  // namespace lepton
