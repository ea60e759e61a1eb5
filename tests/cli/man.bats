# The manual pages of lepton-infer and lepton-eval: their options are those of --help, their examples work.
load ../common

page() { cat "$BATS_TEST_DIRNAME/../../man/$1.1.scd"; }

@test "the manuals know every option of --help=all, and no other" {
  cd "$BATS_TEST_TMPDIR"
  for tool in lepton-infer lepton-eval; do
    "$tool" --help=all | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >help
    page "$tool" | sed -n '/^# OPTIONS/,/^# EXIT/p' | grep -E '^\*' | grep -oE -- '\*--[a-z0-9-]+' | tr -d '*' |
      sort -u >manual
    diff help manual
    [ "$(wc -l <help)" -gt 15 ]
  done
}

@test "the manuals' examples" {
  make_shared
  make_two
  cd "$BATS_TEST_TMPDIR"
  cp "$shared/model.h5" model.h5
  cp "$shared/model.h5" old.h5
  cp "$two/data.h5" xray.h5
  cp "$two/model.h5" xray.model.h5
  cp "$shared/data.h5" photos.h5
  awk -v rows=200 -f "$BATS_TEST_DIRNAME/../tables/make.awk" >customers.csv
  lepton-prep -q customers.csv --split-key customer -o rows.dataset.h5
  lepton-train -q rows.dataset.h5 --epochs 2 -o rows.h5
  perl "$BATS_TEST_DIRNAME/../prep/texts.pl" 80 1 >topics.tsv
  lepton-prep -q topics.tsv -o topics.dataset.h5
  lepton-train -q topics.dataset.h5 --epochs 2 -o topics.h5
  cut -f2 topics.tsv >headlines.txt
  mkdir new
  cp "$shared"/images/*.png new/
  for tool in lepton-infer lepton-eval; do
    page "$tool" | sed -n '/^# DECISIONS/,/^# EXIT/s/^\t//p;/^# EXAMPLES/,/^# SEE/s/^\t//p' | sed 's/\\\(.\)/\1/g' >examples
    [ "$(wc -l <examples)" -ge 3 ]
    while read -r line; do
      echo "$line"
      bash -o pipefail -c "${line/tail -f/cat}"  # which would wait for more
    done <examples
  done
  [ "$(wc -l <features.csv)" -eq 61 ]
}
