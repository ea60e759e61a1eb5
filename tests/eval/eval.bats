# lepton-eval: figures, tables, gates.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  make_shared
  cd "$shared" || return 1
}

json() { perl -MJSON::PP -e 'local $/; $j = decode_json(<STDIN>); print eval $ARGV[0], "\n"' "$1"; }

@test "a model learnt: accuracy with its interval, the baseline beside it" {
  run lepton-eval model.h5 data.h5
  expect 0 $'split\tmetric\tvalue\tlow\thigh'
  [ "$(awk -F'\t' '$2 == "accuracy" {print ($3 > 0.9) ($4 < $3) ($5 >= $3)}' <<<"$output")" = 111 ]
  [ "$(awk -F'\t' '$2 == "majority_baseline" {print $3}' <<<"$output")" = 0.333333 ]
  [ "$(awk -F'\t' '$2 == "samples" {print $3}' <<<"$output")" = 60 ]
}

@test "the same answers as lepton-infer's, joined by id" {
  lepton-infer model.h5 data.h5:test >"$BATS_TEST_TMPDIR/p.tsv"
  lepton-infer model.h5 data.h5:test --format jsonl >"$BATS_TEST_TMPDIR/p.jsonl"
  model=$(lepton-eval model.h5 data.h5 --json | json '$j->{accuracy}{value}, $j->{macro_f1}{value}')
  for p in p.tsv p.jsonl; do
    [ "$(lepton-eval --predictions "$BATS_TEST_TMPDIR/$p" --truth data.h5:test --json |
      json '$j->{accuracy}{value}, $j->{macro_f1}{value}')" = "$model" ]
  done
}

@test "predictions of any tool: figures worked by hand" {
  cd "$BATS_TEST_TMPDIR"
  printf 'id\tlabel\n1\tcat\n2\tcat\n3\tdog\n4\tdog\n5\tcat\n' >truth.tsv
  printf '3\tdog\t0.5\n1\tcat\t0.9\n2\tdog\t0.8\n5\t\t\tunreadable\n9\tdog\n' >given.tsv
  run --separate-stderr lepton-eval --predictions given.tsv --truth truth.tsv --json --confusion --per-class --worst 5
  [ "$status" -eq 0 ]
  [[ $stderr == *"1 predictions are of ids"* ]]
  [ "$(json '$j->{accuracy}{value}' <<<"$output")" = 0.4 ]
  [ "$(json '$j->{unanswered}{value}' <<<"$output")" = 2 ]
  [ "$(json 'join "/", map {join " ", @$_} @{$j->{confusion}{counts}}' <<<"$output")" = "1 1 1/0 1 1" ]
  [ "$(json 'sprintf "%.4f", $j->{per_class}{cat}{recall}' <<<"$output")" = 0.3333 ]
  [ "$(json 'scalar(@{$j->{worst}}) . $j->{worst}[0]{input}' <<<"$output")" = 12 ]
  printf '7\tcat\n' >strangers.tsv
  run lepton-eval --predictions strangers.tsv --truth truth.tsv
  expect 7 "no id"
  printf '1\tcat\n1\tdog\n' >twice.tsv
  run lepton-eval --predictions twice.tsv --truth truth.tsv
  expect 7 "'1' occurs twice"
  printf 'one\n' >short.tsv
  run lepton-eval --predictions short.tsv --truth truth.tsv
  expect 7 "short.tsv:1"
}

@test "predictions that are numbers" {
  cd "$BATS_TEST_TMPDIR"
  printf 'a\t1\nb\t2\nc\t6\n' >truth.tsv
  printf 'a\t2\nb\t2\nc\t4\n' >given.tsv
  run lepton-eval --predictions given.tsv --truth truth.tsv --regression --fail-over mae=1 --fail-under r2=0.6
  expect 0 $'predictions\tmae\t1\t'
  [ "$(awk -F'\t' '$2 == "rmse" {print $3, ($4 < $3) ($5 > $3)}' <<<"$output")" = "1.29099 11" ]
  run lepton-eval --predictions given.tsv --truth truth.tsv --regression --fail-over rmse=1.2
  expect 9 "over 1.2"
  run lepton-eval --predictions given.tsv --truth truth.tsv --regression --confusion
  expect 2 "classes"
}

@test "splits side by side" {
  run lepton-eval model.h5 data.h5:train,test
  [ "$(awk -F'\t' '$2 == "samples" {print $1, $3}' <<<"$output" | paste -sd' ')" = "train 240 test 60" ]
  [ "$(lepton-eval model.h5 data.h5:train,test --json | json '$j->{train}{samples}{value}')" = 240 ]
  [ "$(lepton-eval model.h5 data.h5:train data.h5:test --json | json 'join " ", sort keys %$j')" \
    = "data.h5:test data.h5:train" ]
}

@test "tables: per class, confusion, worst; sections parted by empty lines" {
  run lepton-eval model.h5 data.h5 --per-class --confusion --worst 3
  expect 0 $'truth/answer\tleft\tmiddle\tright'
  [ "$(lepton-eval model.h5 data.h5 --per-class --confusion --worst 3 |
    awk 'BEGIN {RS = ""} {n = split($0, l, "\n"); print n}' | paste -sd' ' | cut -d' ' -f2-)" = "4 4 4" ]
  [ "$(lepton-eval model.h5 data.h5 --confusion | tail -n3 | awk -F'\t' '{s += $2 + $3 + $4} END {print s}')" = 60 ]
}

@test "aligned on a terminal" {
  run script -qec "lepton-eval -q model.h5 data.h5:train,test" /dev/null
  expect 0 "accuracy"
  [[ $output != *$'\t'* ]]
  [[ $output =~ metric\ +train\ +test ]]
}

@test "gates: status 9, naming value and bound" {
  run lepton-eval model.h5 data.h5 --fail-under accuracy=0.5 --fail-over log-loss=2 --max-drop 1
  expect 0 "accuracy"
  run --separate-stderr lepton-eval model.h5 data.h5 -q --fail-under accuracy=1.01
  [ "$status" -eq 9 ]
  [[ $stderr == *"accuracy is "*", under 1.01" ]]
  run lepton-eval model.h5 data.h5 --fail-over ece=-1
  expect 9 "over -1"
  run lepton-eval model.h5 data.h5 --fail-under recall:left=1.01
  expect 9 "recall:left"
  run lepton-eval model.h5 data.h5 --max-drop accuracy=-1
  expect 9 "stored"
  run lepton-eval model.h5 data.h5 --fail-under acuracy=0.5
  expect 2 "did you mean 'accuracy'"
  run lepton-eval model.h5 data.h5 --fail-under accuracy
  expect 2 "METRIC=NUMBER"
  run lepton-eval model.h5 data.h5 --fail-under recall:up=0.5
  expect 2 "recall:up"
}

@test "--tta averages views and keeps what is learnt" {
  run lepton-eval model.h5 data.h5 --tta --fail-under accuracy=0.7
  expect 0 "accuracy"
}

@test "a dataset of other classes or another shape does not belong to the model: 7" {
  make_idx "$BATS_TEST_TMPDIR/idx" test 30 3
  lepton-prep -q "$BATS_TEST_TMPDIR/idx" --class-names left,middle,elsewhere -o "$BATS_TEST_TMPDIR/other.h5"
  run lepton-eval model.h5 "$BATS_TEST_TMPDIR/other.h5"
  expect 7 "'elsewhere'"
  lepton-prep -q "$BATS_TEST_TMPDIR/idx" --class-names left,middle,right --size 9x8 --resize stretch \
    -o "$BATS_TEST_TMPDIR/wide.h5"
  run lepton-eval model.h5 "$BATS_TEST_TMPDIR/wide.h5"
  expect 7 "8x8x1"
}

@test "classes are compared by name: another order is no difference" {
  make_idx "$BATS_TEST_TMPDIR/idx" test 60 2
  lepton-prep -q "$BATS_TEST_TMPDIR/idx" --class-names z,middle,right -o "$BATS_TEST_TMPDIR/z.h5"
  run lepton-eval model.h5 "$BATS_TEST_TMPDIR/z.h5"
  expect 7 "'z'"
  mkdir -p "$BATS_TEST_TMPDIR/tree/test/right" "$BATS_TEST_TMPDIR/tree/test/middle"
  for f in images/*; do
    case $f in
      *right*) cp "$f" "$BATS_TEST_TMPDIR/tree/test/right" ;;
      *middle*) cp "$f" "$BATS_TEST_TMPDIR/tree/test/middle" ;;
    esac
  done
  lepton-prep -q "$BATS_TEST_TMPDIR/tree" -o "$BATS_TEST_TMPDIR/two.h5"
  run lepton-eval model.h5 "$BATS_TEST_TMPDIR/two.h5" --fail-under accuracy=0.9
  expect 0 $'samples\t40'
}

@test "usage, unfit files, full disk" {
  run lepton-eval
  expect 2 "no model"
  run lepton-eval model.h5
  expect 2 "no dataset"
  run lepton-eval model.h5 data.h5 --per-clas
  expect 2 "'--per-class'"
  run lepton-eval --predictions x
  expect 2 "--truth"
  run lepton-eval model.h5 data.h5:val
  expect 4 "train, test"
  run lepton-eval model.h5 model.h5
  expect 7 "model.h5"
  run lepton-eval model.h5 nothing.h5
  expect 4 "nothing.h5"
  run bash -c 'lepton-eval model.h5 data.h5 >/dev/full'
  expect 5 "No space left"
  [ "$(cat data.h5 | lepton-eval model.h5 - --json | json '$j->{samples}{value}')" = 60 ]
  [ "$(cat data.h5 | lepton-eval model.h5 -:train --json | json '$j->{samples}{value}')" = 240 ]
  [ "$(lepton-eval model.h5 -:train,test --json <data.h5 | json '$j->{train}{samples}{value}')" = 240 ]
  lepton-infer model.h5 data.h5:train >"$BATS_TEST_TMPDIR/p.tsv"
  [ "$(lepton-eval --predictions "$BATS_TEST_TMPDIR/p.tsv" --truth -:train --json <data.h5 |
    json '$j->{samples}{value}')" = 240 ]
  run lepton-eval model.h5 -:tset <data.h5
  expect 2 "tset"
  run lepton-eval model.h5 - -:train <data.h5
  expect 2 "named twice"
  [ "$(lepton-eval - data.h5 --json <model.h5 | json '$j->{samples}{value}')" = 60 ]
}
