# The manual page: its options are those of --help, its keys those of the log, its examples work.
load helper

page() { cat "$BATS_TEST_DIRNAME/../../man/lepton-train.1.scd"; }

@test "the manual knows every option of --help=all, and no other" {
  lepton-train --help=all | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >help
  page | sed -n '/^# OPTIONS/,/^# SIGNALS/p' | grep -oE -- '^\*-.*' | grep -oE -- '\*--[a-z0-9-]+' | tr -d '*' | sort -u >manual
  diff help manual
}

@test "the manual knows every key of the log" {
  dataset d.h5
  lepton-train d.h5 -q --net 'conv 4 3x3 bn relu; dense classes' --epochs 8 --augment auto --log log.jsonl -o m.h5
  awk 'BEGIN { print "a,b"; for (i = 0; i < 200; ++i) print i % 17 "," i % 17 * 1.5 }' >numbers.csv
  lepton-prep -q numbers.csv --task regression -o numbers.h5
  lepton-train numbers.h5 -q --epochs 2 --log numbers.jsonl -o n.h5
  grep -ohE '"[a-z_]+":' log.jsonl numbers.jsonl | tr -d '":' | sort -u >keys
  page | sed -n '/^# LOG/,/^# EXIT/p' | grep -oE '\*[a-z_]+\*' | tr -d '*' | sort -u >manual
  diff keys manual
}

@test "the manual's examples" {
  dataset photos.h5
  cp -r idx-photos.h5 photos
  page | sed -n '/^# EXAMPLES/,/^# SEE/s/^\t//p' | sed 's/\\\([*_]\)/\1/g' >examples
  [ "$(wc -l <examples)" -ge 5 ]
  while read -r line; do
    echo "$line"
    bash -o pipefail -c "$line"
  done <examples
  [ -s tuned.h5 ]
}
