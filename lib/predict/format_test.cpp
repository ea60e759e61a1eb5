#include "predict/format.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lepton {
namespace {

AnswerStyle style_of(AnswerFormat format) {
  AnswerStyle style;
  style.format = format;
  style.classes = {"a", "b,c", "d"};
  return style;
}

// Probabilities 0.25, 0.5, 0.25.
const Answer kAnswer{"x\ty.png", {0, std::log(2.0F), 0}, {}};
const Answer kError{"bad.png", {}, "truncated"};

struct Row {
  AnswerFormat format;
  int64_t top;
  bool probs;
  const char *header, *answer, *error;
};

TEST(AnswerFormat, LinesAndHeaders) {
  const Row rows[] = {
      {AnswerFormat::tsv, 1, false, "input\tlabel\tscore\n", "x\\ty.png\tb,c\t0.5\n", "bad.png\t\t\ttruncated\n"},
      {AnswerFormat::tsv, 2, true, "input\tlabel\tscore\tlabel2\tscore2\tp:a\tp:b,c\tp:d\n",
       "x\\ty.png\tb,c\t0.5\ta\t0.25\t0.25\t0.5\t0.25\n", "bad.png\t\t\ttruncated\n"},
      {AnswerFormat::csv, 9, false, "input,label,score,label2,score2,label3,score3\n",
       "x\ty.png,\"b,c\",0.5,a,0.25,d,0.25\n", "bad.png,,,truncated\n"},
      {AnswerFormat::jsonl, 2, true, "",
       "{\"input\":\"x\\ty.png\",\"label\":\"b,c\",\"score\":0.5,\"top\":[{\"label\":\"b,c\",\"score\":0.5},"
       "{\"label\":\"a\",\"score\":0.25}],\"probs\":{\"a\":0.25,\"b,c\":0.5,\"d\":0.25}}\n",
       "{\"input\":\"bad.png\",\"error\":\"truncated\"}\n"},
  };
  for (const Row& row : rows) {
    AnswerStyle style = style_of(row.format);
    style.top = row.top;
    style.probs = row.probs;
    EXPECT_EQ(answer_header(style), row.header);
    EXPECT_EQ(answer_line(style, kAnswer), row.answer);
    EXPECT_EQ(answer_line(style, kError), row.error);
  }
}

// Of two classes a threshold may put the less probable first; of several it may leave the label out.
TEST(AnswerFormat, Thresholds) {
  AnswerStyle style = style_of(AnswerFormat::tsv);
  style.decision.threshold = 0.6;
  style.top = 2;
  EXPECT_EQ(answer_line(style, kAnswer), "x\\ty.png\t\t0.5\ta\t0.25\n");
  style.format = AnswerFormat::jsonl;
  style.top = 1;
  EXPECT_EQ(answer_line(style, kAnswer), "{\"input\":\"x\\ty.png\",\"label\":\"\",\"score\":0.5}\n");
  style = style_of(AnswerFormat::tsv);
  style.classes = {"no", "yes"};
  style.decision = {1, 0.2, 1};
  const Answer quarter{"x", {std::log(3.0F), 0}, {}};
  EXPECT_EQ(answer_line(style, quarter), "x\tyes\t0.25\n");
  style.top = 2;
  EXPECT_EQ(answer_line(style, quarter), "x\tyes\t0.25\tno\t0.75\n");
  style.decision = {0.5, 0.2, 1};  // 9 to 1
  EXPECT_EQ(answer_line(style, quarter), "x\tno\t0.9\tyes\t0.1\n");
}

TEST(AnswerFormat, Embeddings) {
  AnswerStyle style = style_of(AnswerFormat::tsv);
  style.embedding = true;
  style.width = 2;
  const Answer answer{"i", {1.5F, -0.1234567F}, {}};
  EXPECT_EQ(answer_header(style), "input\tv0\tv1\n");
  EXPECT_EQ(answer_line(style, answer), "i\t1.5\t-0.123457\n");
  style.format = AnswerFormat::jsonl;
  EXPECT_EQ(answer_line(style, answer), "{\"input\":\"i\",\"embedding\":[1.5,-0.123457]}\n");
}

}  // namespace
}  // namespace lepton
