# lepton-infer: one answer an input, in order, whatever the input is.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  make_shared
  cd "$shared" || return 1
}

first() { find images -name '*.png' | sort | head -n "${1:-1}"; }

@test "a file, a list, standard input and the dataset give the same answers" {
  lepton-infer model.h5 data.h5:test | cut -f2,3 >"$BATS_TEST_TMPDIR/dataset"
  first 60 >"$BATS_TEST_TMPDIR/list"
  lepton-infer model.h5 --files-from "$BATS_TEST_TMPDIR/list" | cut -f2,3 >"$BATS_TEST_TMPDIR/files"
  cmp "$BATS_TEST_TMPDIR/dataset" "$BATS_TEST_TMPDIR/files"
  first 60 | tr '\n' '\0' | lepton-infer model.h5 --files0-from - | cut -f1 | cmp - "$BATS_TEST_TMPDIR/list"
  [ "$(lepton-infer model.h5 - <"$(first)" | cut -f2,3)" = "$(head -n1 "$BATS_TEST_TMPDIR/dataset")" ]
  [ "$(lepton-infer - "$(first)" <model.h5 | cut -f2,3)" = "$(head -n1 "$BATS_TEST_TMPDIR/dataset")" ]
  [ "$(lepton-infer model.h5 - <data.h5 | wc -l)" -eq 60 ]
  [ "$(cat data.h5 | lepton-infer model.h5 - | wc -l)" -eq 60 ]
  [ "$(cat data.h5 | lepton-infer model.h5 -:train,test | wc -l)" -eq 300 ]
  [ "$(lepton-infer model.h5 data.h5:train,test "$(first)" | wc -l)" -eq 301 ]
}

@test "an answer does not depend on its neighbours, nor on threads" {
  lepton-infer model.h5 data.h5:train --probs >"$BATS_TEST_TMPDIR/expected"
  for batch in 1 7 32 100; do
    lepton-infer model.h5 data.h5:train --probs --batch $batch | cmp - "$BATS_TEST_TMPDIR/expected"
  done
  lepton-infer model.h5 data.h5:train --probs -j1 | cmp - "$BATS_TEST_TMPDIR/expected"
}

@test "columns: header, top, probabilities, embedding" {
  run lepton-infer model.h5 "$(first)" --header
  [ "${lines[0]}" = $'input\tlabel\tscore' ]
  [[ ${lines[1]} == "$(first)"$'\tleft\t'* ]]
  run lepton-infer model.h5 "$(first)" --header --top 2 --probs
  [ "${lines[0]}" = $'input\tlabel\tscore\tlabel2\tscore2\tp:left\tp:middle\tp:right' ]
  [ "$(awk -F'\t' 'NR == 2 {print ($6 + $7 + $8 > 0.99999) ($3 == $6)}' <<<"$output")" = 11 ]
  run lepton-infer model.h5 "$(first)" --top 99
  [ "$(awk -F'\t' '{print NF}' <<<"$output")" -eq 7 ]
  [ "$(lepton-infer model.h5 "$(first)" --embed last | awk -F'\t' '{print NF}')" -eq 17 ]
  [ "$(lepton-infer model.h5 "$(first)" --embed maxpool1 | awk -F'\t' '{print NF}')" -eq 129 ]
  run lepton-infer model.h5 "$(first)" --embed maxpool2
  expect 2 "maxpool1"
  run lepton-infer model.h5 "$(first)" --embed last --top 2
  expect 2 "--embed"
}

@test "JSON lines and CSV" {
  name=$BATS_TEST_TMPDIR/'a "b",c.png'
  cp "$(first)" "$name"
  lepton-infer model.h5 "$name" --format jsonl --top 2 --probs |
    perl -MJSON::PP -ne '$j = decode_json($_); print "$j->{label} $j->{top}[0]{label} ", scalar @{$j->{top}}, " ",
      ($j->{probs}{left} == $j->{score} ? "same" : "differs"), " $j->{input}\n"' >"$BATS_TEST_TMPDIR/out"
  [ "$(cat "$BATS_TEST_TMPDIR/out")" = "left left 2 same $name" ]
  [[ "$(lepton-infer model.h5 "$name" --format csv)" == "\"${name//\"/\"\"}\",left,"* ]]
  run lepton-infer model.h5 nothing.png --format jsonl
  expect 3 '{"input":"nothing.png","error":"No such file or directory"}'
}

@test "HDF5: what other programs read is what the lines say" {
  command -v h5dump >/dev/null || skip "h5dump is not installed"
  out=$BATS_TEST_TMPDIR/answers.h5
  lepton-infer model.h5 data.h5:test --format h5 -o "$out"
  lepton-infer model.h5 data.h5:test --format h5 | cmp - "$out"
  h5dump -y -m %.6g -d /probabilities "$out" | sed -n '/DATA {/,/}/p' | grep -oE '[0-9][0-9.e-]*' >"$BATS_TEST_TMPDIR/p"
  lepton-infer model.h5 data.h5:test --probs | cut -f4- | tr '\t' '\n' | diff - "$BATS_TEST_TMPDIR/p"
  h5dump -d /meta/classes "$out" | grep -q '"left.*"middle.*"right'
  [ "$(h5dump -a /model "$out" | grep -oE '[0-9a-f]{64}')" = "$(h5dump -a /content_sha256 model.h5 | grep -oE '[0-9a-f]{64}')" ]
  [ "$(h5dump -d /label "$out" | grep -cE '^ +\([0-9]+\): [012]')" -gt 0 ]
  lepton-infer model.h5 "$(first)" --embed maxpool1 --format h5 -o "$out"
  h5dump -H -d /embedding "$out" | grep -q '( 1, 4, 4, 8 )'
}

@test "HDF5: bad inputs keep their rows and are listed" {
  command -v h5dump >/dev/null || skip "h5dump is not installed"
  run lepton-infer model.h5 "$(first)" no/such.png "$(first)" --format h5 -o "$BATS_TEST_TMPDIR/answers.h5"
  expect 3 "1 of 3"
  h5dump -y -d /label "$BATS_TEST_TMPDIR/answers.h5" | grep -qE '^ +0, -1, 0$'
  h5dump -y -d /meta/errors/row "$BATS_TEST_TMPDIR/answers.h5" | grep -qE '^ +1$'
  h5dump -d /meta/errors/message "$BATS_TEST_TMPDIR/answers.h5" | grep -q "No such file"
  h5dump -d /probabilities "$BATS_TEST_TMPDIR/answers.h5" | grep -q "(1,0): nan, nan, nan"
}

@test "HDF5 is never written to a terminal, nor with less than every class" {
  run script -qec "lepton-infer model.h5 $(first) --format h5" /dev/null
  expect 2 "terminal"
  run lepton-infer model.h5 "$(first)" --format h5 --top 2
  expect 2 "--top"
}

@test "-o: the same lines, whole or not at all, and never onto an input" {
  for format in tsv csv jsonl; do
    lepton-infer model.h5 data.h5:test --format $format --header -o "$BATS_TEST_TMPDIR/out"
    lepton-infer model.h5 data.h5:test --format $format --header | cmp - "$BATS_TEST_TMPDIR/out"
  done
  run lepton-infer model.h5 "$(first)" -o no/such/folder/out
  expect 5 "no/such/folder"
  cp model.h5 "$(first)" data.h5 "$BATS_TEST_TMPDIR"
  cd "$BATS_TEST_TMPDIR"
  image=$(ls -- *.png)
  run lepton-infer model.h5 "$image" -o model.h5
  expect 2 "overwritten"
  run lepton-infer model.h5 data.h5:test -o data.h5
  expect 2 "overwritten"
  run bash -c "echo $image | lepton-infer model.h5 --files-from - -o $image"
  expect 2 "overwritten"
  run bash -c "echo $image | lepton-infer model.h5 --files-from - --format h5 -o /dev/full"
  expect 5 "No space left"
  cmp model.h5 "$shared/model.h5"
  cmp data.h5 "$shared/data.h5"
  [ -z "$(find . -name '.*lepton*')" ]
  mkfifo names
  echo old >kept
  lepton-infer model.h5 --files-from names -o kept 3>&- &
  exec 9>names
  echo "$image" >&9
  sleep 0.3
  kill $!
  wait $! || true
  exec 9>&-
  [ "$(cat kept)" = old ]
  [ -z "$(find . -name '.*lepton*')" ]
}

@test "a bad input has an error record in its place, and the status is 3" {
  head -c 50 "$(first)" >"$BATS_TEST_TMPDIR/cut.png"
  mkdir -p "$BATS_TEST_TMPDIR/folder"
  printf 'tab' >"$BATS_TEST_TMPDIR/a	b.png"
  run --separate-stderr lepton-infer model.h5 "$(first)" "$BATS_TEST_TMPDIR/cut.png" no/such.png \
    "$BATS_TEST_TMPDIR/folder" "$BATS_TEST_TMPDIR/a	b.png" "$(first)"
  [ "$status" -eq 3 ]
  [ "${#lines[@]}" -eq 6 ]
  [[ ${lines[1]} == "$BATS_TEST_TMPDIR/cut.png"$'\t\t\t'*trunc* ]]
  [[ ${lines[2]} == $'no/such.png\t\t\tNo such file or directory' ]]
  [[ ${lines[3]} == "$BATS_TEST_TMPDIR/folder"$'\t\t\t'* ]]
  [[ ${lines[4]} == "$BATS_TEST_TMPDIR/a\\tb.png"$'\t\t\t'* ]]
  [ "${lines[5]}" = "${lines[0]}" ]
  [[ $stderr == *"4 of 6"* ]]
}

@test "an image of another size is an error record where the recipe has no resize, and follows it where it has one" {
  perl "$BATS_TEST_DIRNAME/../prep/make.pl" png 20 10 gray 1 >"$BATS_TEST_TMPDIR/large.png"
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR/large.png"
  expect 3 "20x10"
  [ -e sized.h5 ] || {
    mkdir -p sized/a sized/b
    for i in 1 2 3 4 5 6 7 8 9 10; do
      perl "$BATS_TEST_DIRNAME/../prep/make.pl" png 12 9 rgb "$i" >"sized/a/$i.png"
      perl "$BATS_TEST_DIRNAME/../prep/make.pl" png 9 12 rgb "1$i" >"sized/b/$i.png"
    done
    lepton-prep -q sized --size 8x8 --resize crop -o sized.data.h5
    lepton-train -q sized.data.h5 --net 'conv 4 3x3 relu; dense classes' --epochs 1 -j1 -o sized.h5
  }
  run lepton-infer sized.h5 "$BATS_TEST_TMPDIR/large.png"
  expect 0 "large.png"
}

@test "colour turned gray is told, unless --gray had asked for it" {
  perl "$BATS_TEST_DIRNAME/../prep/make.pl" png 8 8 rgb 1 >"$BATS_TEST_TMPDIR/colour.png"
  run --separate-stderr lepton-infer model.h5 "$BATS_TEST_TMPDIR/colour.png" "$(first)" "$BATS_TEST_TMPDIR/colour.png"
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 3 ]
  [ "$(grep -c "2 of 3 inputs are in colour" <<<"$stderr")" -eq 1 ]
  run lepton-infer model.h5 "$(first 2)"
  [[ $output != *colour* ]]
  mkdir -p "$BATS_TEST_TMPDIR/tree"
  cp -r images "$BATS_TEST_TMPDIR/tree/a"
  cp -r images "$BATS_TEST_TMPDIR/tree/b"
  lepton-prep -q --gray "$BATS_TEST_TMPDIR/tree" -o "$BATS_TEST_TMPDIR/gray.h5"
  lepton-train -q "$BATS_TEST_TMPDIR/gray.h5" --net 'dense classes' --epochs 1 -o "$BATS_TEST_TMPDIR/gray.model.h5"
  run lepton-infer "$BATS_TEST_TMPDIR/gray.model.h5" "$BATS_TEST_TMPDIR/colour.png"
  expect 0 "colour.png"
  [[ $output != *warning* ]]
}

@test "an empty list means nothing" {
  run lepton-infer model.h5 --files-from /dev/null
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  run lepton-infer model.h5
  [ "$status" -eq 0 ]
  run lepton-infer model.h5 --files-from /no/such/list
  expect 4 "/no/such/list"
}

@test "a live pipe is answered line by line" {
  mkfifo "$BATS_TEST_TMPDIR/names"
  lepton-infer model.h5 --files-from "$BATS_TEST_TMPDIR/names" >"$BATS_TEST_TMPDIR/out" 3>&- &
  exec 9>"$BATS_TEST_TMPDIR/names"
  for i in 1 2 3; do
    first $i | tail -n1 >&9
    for _ in $(seq 200); do
      [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -ge $i ] && break
      sleep 0.05
    done
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq $i ]
  done
  exec 9>&-
  wait $!
}

@test "bad luck with output: a full disk is 5, a reader that leaves is 141" {
  run bash -c "lepton-infer model.h5 $(first) >/dev/full"
  expect 5 "No space left"
  run bash -c "(first=\$(ls images/* | head -n1); echo \$first; sleep 0.3; echo \$first; sleep 0.3; echo \$first) |
    lepton-infer model.h5 --files-from - | head -n1 >/dev/null; echo \${PIPESTATUS[1]}"
  [ "$output" = 141 ]
  # Also while nothing comes: the failed write ends it, not the next name.
  mkfifo "$BATS_TEST_TMPDIR/f"
  exec 9<>"$BATS_TEST_TMPDIR/f"
  first >&9
  run timeout 10 bash -c "lepton-infer model.h5 --files-from - <$BATS_TEST_TMPDIR/f >/dev/full 9>&-"
  exec 9>&-
  expect 5 "No space left"
}

@test "usage errors are 2, unfit files 6 and 7, an absent device 8" {
  run lepton-infer
  expect 2 "no model given"
  run lepton-infer model.h5 --topp 3
  expect 2 "'--top'"
  run lepton-infer model.h5 --format xml x
  expect 2 "xml"
  run lepton-infer - - <model.h5
  expect 2 "standard input"
  run lepton-infer model.h5 data.h5:tset
  expect 2 "tset"
  run lepton-infer model.h5 data.h5:val
  expect 4 "train, test"
  run lepton-infer data.h5 "$(first)"
  expect 7 "data.h5"
  run lepton-infer nothing.h5 "$(first)"
  expect 4 "nothing.h5"
  head -c 3000 model.h5 >"$BATS_TEST_TMPDIR/cut.h5"
  run lepton-infer "$BATS_TEST_TMPDIR/cut.h5" "$(first)"
  expect 6 "cut.h5"
  run lepton-infer model.h5 "$(first)" --device cuda:99
  expect 8 "cuda"
  run lepton-infer model.h5 "$(first)" --device cpu --precision tf32
  expect 8 "use --precision fp32 or bf16"
  ONEDNN_MAX_CPU_ISA=AVX2 run lepton-infer model.h5 "$(first)" --device cpu --precision bf16
  expect 0 "warning: this processor has no instructions for bf16; it computes in fp32"
  run lepton-infer model.h5 "$(first)" --precision fp8
  expect 2 "bf16"
  for limit in 12x 0 -3 ""; do
    run lepton-infer model.h5 "$(first)" --memory-limit "$limit"
    expect 2 "512M"
  done
  run lepton-infer model.h5 "$(first)" --device cpu --memory-limit 1.5G
  expect 0 ""
}

@test "--bench measures latency and throughput" {
  run lepton-infer model.h5 --bench 0.1
  expect 0 "p99"
  [[ $output == *"samples/s"* ]]
  lepton-infer model.h5 "$(first)" --bench 0.1 --json |
    perl -MJSON::PP -e '$j = decode_json(<STDIN>); exit !($j->{p50_ms} > 0 && $j->{samples_per_second} > 0
      && $j->{p99_ms} >= $j->{p50_ms})'
}

@test "--lock lets one run in at a time" {
  exec 8>"$BATS_TEST_TMPDIR/lock"
  flock 8
  run lepton-infer model.h5 "$(first)" --lock "$BATS_TEST_TMPDIR/lock"
  expect 75 "another run"
  exec 8>&-
  run lepton-infer model.h5 "$(first)" --lock "$BATS_TEST_TMPDIR/lock"
  expect 0 "left"
}
