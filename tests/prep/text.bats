# Texts: TSV, CSV and JSON lines, folders of documents; encodings; what cannot be used.
load helper

texts() { perl "$BATS_TEST_DIRNAME/texts.pl" "$@"; }
# recipe KEY FILE: the value of a key of the recipe, as JSON writes it.
recipe() { h5dump -d /meta/recipe "$2" | tr -d '\\\n' | grep -oE "\"$1\":[^,}]*" | head -n1 | cut -d: -f2; }
tokens() { h5dump -d "/$1/x[0,0;1,8]" "$2" | grep '(0,0)'; }

@test "a TSV of labels and texts is known without being told" {
  texts 200 1 >all.tsv
  for kind in words subword ngrams; do
    run lepton-prep all.tsv --tokens $kind -o "$kind.h5"
    expect 0 "2 classes: train 160 val 20 test 20"
  done
  run lepton-prep all.tsv -o out.h5
  expect 0 "200 texts"
  run lepton-prep --check out.h5
  expect 0 "whole and sound"
  run lepton-prep --list out.h5:train
  [[ ${lines[0]} == all.tsv:*$'\tpos\ttrain' || ${lines[0]} == all.tsv:*$'\tneg\ttrain' ]]
  lepton-prep all.tsv -q -o again.h5 -j1
  cmp out.h5 again.h5
}

@test "files and folders named for splits are these splits" {
  mkdir reviews
  texts 100 1 >reviews/train.tsv
  texts 20 2 >reviews/dev.tsv
  texts 30 3 >reviews/test.tsv
  run lepton-prep reviews -o out.h5
  expect 0 "train 100 val 20 test 30"
  run lepton-prep --train reviews/train.tsv --test reviews/dev.tsv -o out.h5
  expect 0 "train 100 test 20"
  gzip reviews/train.tsv
  run lepton-prep reviews/train.tsv.gz reviews/test.tsv -o out.h5
  expect 0 "train 100 test 30"
}

@test "standard input, CSV by column, JSON lines by field give the same samples" {
  texts 100 1 >all.tsv
  awk -F'\t' 'BEGIN { print "id,review,stars" } { print NR ",\"" $2 "\"," $1 }' all.tsv >all.csv
  awk -F'\t' '{ print "{\"review\":\"" $2 "\",\"stars\":\"" $1 "\",\"id\":" NR "}" }' all.tsv >all.jsonl
  awk -F'\t' 'BEGIN { print "stars\tid\treview" } { print $1 "\t" NR "\t" $2 }' all.tsv >named.tsv
  lepton-prep --type text - -q -o stdin.h5 <all.tsv
  lepton-prep --type text - -q -o piped.h5 < <(cat all.tsv)
  cmp stdin.h5 piped.h5
  lepton-prep --type text - --text review --label stars -q -o objects.h5 <all.jsonl
  for form in all.csv all.jsonl named.tsv; do lepton-prep $form --text review --label stars -q -o $form.h5; done
  for form in all.csv all.jsonl named.tsv objects; do
    lepton-prep --list $form.h5 | cut -f2,3 | cmp - <(lepton-prep --list stdin.h5 | cut -f2,3)
    h5dump -d /train/x $form.h5 | tail -n +2 | cmp - <(h5dump -d /train/x stdin.h5 | tail -n +2)
  done
  run lepton-prep all.jsonl --text body --label stars -o out.h5
  expect 4 "all.jsonl:1: has no text in 'body'"
  run lepton-prep all.csv --text body --label stars -o out.h5
  expect 7 "'body'"
}

@test "--split-key names a field whose values keep texts together" {
  texts 120 1 | awk -F'\t' '{ print "{\"text\":\"" $2 "\",\"label\":\"" $1 "\",\"author\":" int(NR / 10) "}" }' >all.jsonl
  lepton-prep all.jsonl --split-key author -q -o out.h5
  lepton-prep --list out.h5 | awk -F'[:\t]' '{ print int($2 / 10), $4 }' | sort -u >sides
  [ "$(wc -l <sides)" -eq "$(cut -d' ' -f1 sides | sort -u | wc -l)" ]
  [ "$(cut -d' ' -f2 sides | sort -u | wc -l)" -gt 1 ]
}

@test "a folder of documents, and an archive of it" {
  texts 60 1 | while IFS=$'\t' read -r label text; do
    mkdir -p "docs/$label"
    n=$((n + 1))
    printf '%s\n\n%s\n' "$text" "second paragraph" >"docs/$label/$n.txt"
  done
  run lepton-prep docs -o out.h5
  expect 0 "60 texts of"
  [ "$(recipe unit out.h5)" = '"file"' ]
  tar cf docs.tar docs
  lepton-prep --type text docs.tar -q -o archive.h5
  lepton-prep --list archive.h5 | grep -q '^docs/neg/1.txt	neg	'
  printf 'caf\xe9' >docs/pos/latin.txt
  : >docs/pos/empty.txt
  run lepton-prep docs -o out.h5 --max-errors 2
  expect 0 "pos/latin.txt: is not UTF-8: 0xE9 at byte 4"
  [[ $output == *"pos/empty.txt: holds no text"* ]]
}

@test "encodings, case and normal form" {
  printf 'a\tcaf\xe9 %s\nb\tth\xe9 %s\n' {1..40} >latin.tsv
  iconv -f ISO-8859-1 -t UTF-8 latin.tsv >utf8.tsv
  run lepton-prep latin.tsv --type text -o out.h5
  expect 4 "latin.tsv:1: is not UTF-8: 0xE9 at byte 6"
  lepton-prep latin.tsv --type text --encoding ISO-8859-1 -q -o latin.h5
  lepton-prep utf8.tsv --type text -q -o utf8.h5
  cmp <(h5dump -d /train/x latin.h5 | tail -n +2) <(h5dump -d /train/x utf8.h5 | tail -n +2)
  run lepton-prep latin.tsv --type text --encoding nonsense -o out.h5
  expect 2 "iconv -l"
  run lepton-prep latin.tsv --type text --encoding UTF-16 -o out.h5
  expect 2 "iconv -f UTF-16"
  for i in {1..20}; do printf 'a\tYes ok %s\nb\tno ok %s\na\tyes ok %s\n' "$i" "$i" "$i"; done >case.tsv
  lepton-prep case.tsv --type text --tokens words -q -o folded.h5
  lepton-prep case.tsv --type text --tokens words --case keep -q -o kept.h5
  [ "$(($(h5dump -d /meta/parts/vocabulary kept.h5 | wc -c) > $(h5dump -d /meta/parts/vocabulary folded.h5 | wc -c)))" = 1 ]
  [ "$(recipe fold folded.h5)$(recipe fold kept.h5)" = truefalse ]
}

@test "longer texts are cut, counted and said; the length is in the recipe" {
  texts 100 1 >all.tsv
  run lepton-prep all.tsv --tokens words --length 3 -o out.h5
  expect 0 "100 texts cut at that length"
  [ "$(recipe length out.h5)" = 3 ]
  run lepton-prep all.tsv --tokens words --length 100 -o out.h5
  expect 0 "0 of 80 are cut"
}

@test "texts that cannot be used are named with their line, and bounded" {
  texts 300 1 >all.tsv
  printf 'pos\tcut \xe4\xbd\n' >>all.tsv
  printf 'pos\tnul \0 byte\n' >>all.tsv
  printf 'no label\n' >>all.tsv
  printf 'pos\t  \n' >>all.tsv
  { printf 'pos\t'; head -c 10485760 /dev/zero | tr '\0' x; echo; } >>all.tsv
  run lepton-prep all.tsv --type text -o out.h5 --error-report report.tsv
  expect 3 "5 of 305 inputs are bad"
  [ ! -e out.h5 ]
  run lepton-prep all.tsv --type text -o out.h5 --max-errors 5 --error-report report.tsv
  expect 0 "5 bad inputs skipped"
  diff report.tsv - <<'END'
all.tsv:301	is not UTF-8: 0xE4 at byte 9
all.tsv:302	holds a NUL at byte 9
all.tsv:303	has 1 field, expected 2 (label, text)
all.tsv:304	holds no text
all.tsv:305	is longer than 1,048,576 bytes, the limit for a text
END
  run lepton-prep all.tsv --type text -o out.h5 --max-errors 99% --max-text 5
  expect 4 "more than the limit of 5 for a text"
  printf '{"text":"a","label":["x"]}\n{"text":1}\nnonsense\n{"text":"nul \\u0000","label":"a"}\n' >bad.jsonl
  run lepton-prep bad.jsonl -o out.h5
  expect 4 "bad.jsonl:1: its 'label' is neither a text nor a number"
  [[ $output == *"bad.jsonl:2: has no text in 'text'"*"bad.jsonl:3: is not a JSON object"*"bad.jsonl:4: holds a NUL"* ]]
  : >empty.jsonl
  run lepton-prep empty.jsonl -o out.h5
  expect 4 "no texts found"
  run lepton-prep --type text absent.tsv -o out.h5
  expect 4 "absent.tsv"
}

@test "options that cannot be" {
  texts 20 1 >all.tsv
  for wrong in "--char-ngrams 6-3" "--char-ngrams x" "--tokens letters" "--length -1" "--buckets 9" "--case up"; do
    # shellcheck disable=SC2086
    run lepton-prep all.tsv --type text $wrong -o out.h5
    expect 2 "${wrong%% *}"
  done
  run lepton-prep all.tsv --type text -o all.tsv
  expect 2 "is an input too"
}
