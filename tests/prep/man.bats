# The manual page: its options are those of --help, its examples work.
load helper

page() { cat "$BATS_TEST_DIRNAME/../../man/lepton-prep.1.scd"; }

@test "the manual knows every option of --help=all, and no other" {
  lepton-prep --help=all | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >help
  page | sed -n '/^# OPTIONS/,/^# EXIT/p' | grep -oE -- '\*--[a-z0-9-]+' | tr -d '*' | sort -u >manual
  diff help manual
}

@test "the manual's examples" {
  tree photos cat dog
  for patient in 1 2 3 4 5 6 7 8; do
    for class in well ill; do png "scans/$class/patient${patient}_0.png"; done
  done
  words words yes no
  for speaker in ann bob cid dan; do
    for digit in 0 1; do wav "digits/${digit}_${speaker}_1.wav"; done
  done
  find scans -name '*.png' | awk -F/ '{ print $0 "\t" $2 }' >labels.tsv
  awk -v rows=200 -f "$BATS_TEST_DIRNAME/../tables/make.awk" | sed '1s/city/zip/' >customers.csv
  perl "$BATS_TEST_DIRNAME/texts.pl" 80 1 >reviews.tsv
  awk -F'\t' '{ print "{\"outcome\":\"" $1 "\",\"remark\":\"" $2 "\"}" }' reviews.tsv >orders.jsonl
  page | sed -n '/^# EXAMPLES/,/^# SEE/s/^\t//p' | sed 's/\\\([*_]\)/\1/g' >examples
  [ "$(wc -l <examples)" -ge 5 ]
  while read -r line; do
    echo "$line"
    bash -o pipefail -c "$line"
  done <examples
}
