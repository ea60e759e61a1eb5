# The manual page of lepton-push: its options are those of --help, its examples work.
load ../common

page() { cat "$BATS_TEST_DIRNAME/../../man/lepton-push.1.scd"; }

@test "the manual knows every option of --help=all, and no other" {
  cd "$BATS_TEST_TMPDIR"
  lepton-push --help=all | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >help
  page | sed -n '/^# OPTIONS/,/^# READING/p' | grep -E '^\*' | grep -oE -- '\*--[a-z0-9-]+' | tr -d '*' | sort -u >manual
  diff help manual
  [ "$(wc -l <help)" -gt 25 ]
}

@test "the manual's examples" {
  make_shared
  cd "$BATS_TEST_TMPDIR"
  cp "$shared/model.h5" model.h5
  mkdir report
  echo good >report/accuracy
  page | sed -n '/^# EXAMPLES/,/^To three/s/^\t//p' | sed 's/\\\(.\)/\1/g' >examples
  [ "$(wc -l <examples)" -ge 4 ]
  while read -r line; do
    echo "$line"
    bash -o pipefail -c "$line"
  done <examples
  [ -e copy/report/accuracy ]
}
