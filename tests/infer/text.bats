# Texts: lines as they come, files of lines, documents; one answer each, in order.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  shared=$BATS_RUN_TMPDIR/shared-text
  if [ ! -e "$shared/done" ]; then
    mkdir -p "$shared"
    perl "$BATS_TEST_DIRNAME/../prep/texts.pl" 300 1 >"$shared/train.tsv"
    perl "$BATS_TEST_DIRNAME/../prep/texts.pl" 60 2 >"$shared/test.tsv"
    lepton-prep "$shared/train.tsv" "$shared/test.tsv" --tokens words -q -o "$shared/data.h5"
    lepton-train "$shared/data.h5" --epochs 5 --optimizer adamw --lr 0.02 --batch 16 -j1 -q -o "$shared/model.h5" \
      --net 'embed 16; parallel {; conv 8 3 relu; globalpool max; |; globalpool avg; }; dense classes'
    touch "$shared/done"
  fi
  cd "$shared" || return 1
  cut -f2 test.tsv >"$BATS_TEST_TMPDIR/lines"
}

@test "lines, a file of them, its TSV and the dataset give the same answers" {
  lepton-infer model.h5 - --probs <"$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/stdin"
  [ "$(head -n1 "$BATS_TEST_TMPDIR/stdin" | cut -f1)" = -:1 ]
  [ "$(tail -n1 "$BATS_TEST_TMPDIR/stdin" | cut -f1)" = -:60 ]
  [ "$(paste <(cut -f2 "$BATS_TEST_TMPDIR/stdin") <(cut -f1 test.tsv) | awk '$1 == $2' | wc -l)" -ge 57 ]
  same() { cut -f2- | cmp - <(cut -f2- "$BATS_TEST_TMPDIR/stdin"); }
  lepton-infer model.h5 "$BATS_TEST_TMPDIR/lines" --probs | same
  lepton-infer model.h5 test.tsv --probs | same
  lepton-infer model.h5 data.h5:test --probs | same
  awk '{ print "{\"text\":\"" $0 "\"}" }' "$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/lines.jsonl"
  lepton-infer model.h5 "$BATS_TEST_TMPDIR/lines.jsonl" --probs | same
  [ "$(lepton-infer model.h5 test.tsv | head -n1 | cut -f1)" = test.tsv:1 ]
}

@test "an answer does not depend on its neighbours, their lengths or the length of a sample" {
  { cat "$BATS_TEST_TMPDIR/lines"; yes 'good story and' | head -n 9 | tr '\n' ' '; echo; echo good; } >"$BATS_TEST_TMPDIR/mixed"
  lepton-infer model.h5 "$BATS_TEST_TMPDIR/mixed" --probs --batch 1 >"$BATS_TEST_TMPDIR/expected"
  for batch in 7 64; do
    lepton-infer model.h5 "$BATS_TEST_TMPDIR/mixed" --probs --batch $batch | cmp - "$BATS_TEST_TMPDIR/expected"
  done
  sort -r "$BATS_TEST_TMPDIR/mixed" >"$BATS_TEST_TMPDIR/turned"
  diff <(lepton-infer model.h5 "$BATS_TEST_TMPDIR/turned" --probs | cut -f2- | sort) \
    <(cut -f2- "$BATS_TEST_TMPDIR/expected" | sort)
}

@test "in a live pipe each line is answered as it comes" {
  mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
  lepton-infer model.h5 - <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" &
  exec 5>"$BATS_TEST_TMPDIR/in" 6<"$BATS_TEST_TMPDIR/out"
  for n in 1 2 3; do
    echo "the film is lovely" >&5
    read -r -t 20 answer <&6
    [[ $answer == "-:$n"$'\tpos\t'* ]]
  done
  exec 5>&- 6<&-
  wait
}

@test "what is no text has its line in its place" {
  printf 'good film\n\ncaf\xe9\nnul \0 byte\n   \ndull film' >"$BATS_TEST_TMPDIR/bad"
  run lepton-infer model.h5 - <"$BATS_TEST_TMPDIR/bad"
  [ "$status" -eq 3 ]
  [[ ${lines[0]} == $'-:1\tpos\t'* ]]
  [ "${lines[1]}" = $'-:2\t\t\tholds no text' ]
  [ "${lines[2]}" = $'-:3\t\t\tis not UTF-8: 0xE9 at byte 4' ]
  [ "${lines[3]}" = $'-:4\t\t\tholds a NUL at byte 5' ]
  [ "${lines[4]}" = $'-:5\t\t\tholds no text' ]
  [[ ${lines[5]} == $'-:6\tneg\t'* ]]
  { head -c 10485760 /dev/zero | tr '\0' x; echo; echo good; } >"$BATS_TEST_TMPDIR/long"
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR/long"
  expect 3 "long:1			is longer than 1,048,576 bytes"
  [[ $output == *"long:2	pos"* ]]
  run lepton-infer model.h5 absent.txt
  expect 3 "absent.txt			No such file or directory"
  : >"$BATS_TEST_TMPDIR/empty"
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR/empty"
  [ "$status" -eq 0 ] && [ -z "$output" ]
}

@test "a model of documents takes files" {
  cd "$BATS_TEST_TMPDIR"
  while IFS=$'\t' read -r label text; do
    mkdir -p "docs/$label"
    n=$((n + 1))
    printf '%s\nmore\n' "$text" >"docs/$label/$n.txt"
  done < <(head -n 80 "$shared/train.tsv")
  lepton-prep docs --tokens words -q -o docs.h5
  lepton-train docs.h5 --epochs 6 --optimizer adamw --lr 0.05 --batch 8 -j1 -q -o docs-model.h5 \
    --net 'embed 8; globalpool avg; dense classes'
  printf '\xff' >bad.txt
  run lepton-infer docs-model.h5 docs/neg/1.txt docs/pos/2.txt bad.txt
  expect 3 $'docs/neg/1.txt\tneg\t'
  [[ $output == *$'docs/pos/2.txt\tpos\t'*$'bad.txt\t\t\tis not UTF-8: 0xFF at byte 1'* ]]
  [[ "$(lepton-infer docs-model.h5 - <docs/neg/1.txt)" == $'-\tneg\t'* ]]
}

@test "a dataset cut into other tokens is refused" {
  length=$(h5dump -H -d /test/x data.h5 | grep -oE '60, [0-9]+' | head -n1 | cut -d' ' -f2)
  lepton-prep train.tsv test.tsv --tokens subword --length "$length" -q -o "$BATS_TEST_TMPDIR/other.h5"
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR/other.h5"
  expect 7 "other tokens"
}

@test "texts longer than the model's are cut, and that is told once" {
  { cat test.tsv; printf 'pos\t'; for i in {1..500}; do printf 'w%d ' "$i"; done; echo; } >"$BATS_TEST_TMPDIR/long.tsv"
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR/long.tsv"
  expect 0 "1 of 61 texts were cut at"
  [ "$(grep -c 'were cut' <<<"$output")" -eq 1 ]
  run lepton-infer -q model.h5 "$BATS_TEST_TMPDIR/long.tsv"
  [[ $output != *"were cut"* ]]
}
