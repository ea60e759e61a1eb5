# --recipe: new data prepared as a model's or a dataset's was; and options that mean nothing for a kind of data.
load helper

# stored NAME FILE.h5: a data set as h5dump prints it, without the file's name.
stored() { h5dump -d "$1" "$2" | tail -n +2; }
same() { [ "$(stored "$1" "$2")" = "$(stored "$1" "$3")" ]; }

@test "images: size, colour, classes and statistics are the model's; evaluated and trained on" {
  make_shared
  lepton-prep --recipe "$shared/model.h5" --test "$shared/idx" -q -o new.h5
  for part in classes mean std recipe; do same /meta/$part new.h5 "$shared/data.h5"; done
  lepton-eval "$shared/model.h5" new.h5 --fail-under accuracy=0.9
  for class in left middle; do mkdir -p "half/$class" && cp "$shared"/images/*-"$class".png "half/$class/"; done
  run lepton-prep --recipe "$shared/model.h5" half -o half.h5
  expect 0 "40 images 8x8 gray, 3 classes"
  lepton-train half.h5 --init "$shared/model.h5" --epochs 1 -q -o tuned.h5
  lepton-eval tuned.h5 "$shared/data.h5" --fail-under accuracy=0.9
  png half/left/colour.png 8 8
  png half/left/large.png 9 9 gray
  run lepton-prep --recipe "$shared/data.h5" half -o other.h5 --max-errors 1
  expect 0 "1 of 41 images are in colour and were turned gray"
  [[ $output == *"left/large.png: is 9x9, expected 8x8"* ]]
  mv half/middle half/centre
  run lepton-prep --recipe "$shared/model.h5" half -o other.h5 --max-errors 1
  expect 7 "does not know the class 'centre'"
  lepton-prep --recipe "$shared/model.h5" half --class-names left,centre -q -o other.h5 --max-errors 1
  for wrong in '--size 8x8' --gray '--max-pixels 9'; do
    # shellcheck disable=SC2086
    run lepton-prep --recipe "$shared/model.h5" half $wrong -o other.h5
    expect 2 "${wrong%% *}: --recipe"
  done
  run lepton-prep --recipe "$shared/model.h5" half --type audio -o other.h5
  expect 2 "--type audio"
  words sounds yes no
  run lepton-prep --recipe "$shared/model.h5" sounds -o other.h5
  expect 7 "sounds: holds recordings; the recipe of"
  printf 'a,b,label\n1,2,x\n2,3,y\n' >table.csv
  run lepton-prep --recipe "$shared/model.h5" table.csv -o other.h5
  expect 7 "holds a table; the recipe of"
  cp "$shared/model.h5" model.h5
  run lepton-prep --recipe model.h5 half -o model.h5
  expect 2 "is an input too"
  run lepton-prep --recipe table.csv half -o other.h5
  expect 6 "table.csv"
}

@test "recordings: rate, length and features are the dataset's" {
  words words yes no
  lepton-prep words --duration 0.3 --bands 20 --trim --rate 4000 -q -o one.h5
  for i in 1 2 3; do wav "new/yes/$i.wav" 16000 0.5; done
  run lepton-prep --recipe one.h5 new -o two.h5
  expect 0 "3 of 3 recordings are brought from 16000 Hz to 4000 Hz"
  for part in classes mean std recipe; do same /meta/$part one.h5 two.h5; done
  lepton-train one.h5 --epochs 1 -q -o model.h5
  lepton-eval model.h5 two.h5:train
  run lepton-prep --recipe one.h5 new --bands 20 -o three.h5
  expect 2 "--bands"
  tree photos yes no
  run lepton-prep --recipe one.h5 photos -o three.h5
  expect 7 "photos: holds images; the recipe of"
}

@test "texts: tokens and length are the model's, of lines and of documents" {
  texts() { perl "$BATS_TEST_DIRNAME/texts.pl" "$@"; }
  texts 200 1 >one.tsv
  texts 60 2 >two.tsv
  for kind in words subword ngrams; do
    lepton-prep one.tsv --tokens $kind --length 12 --case keep -q -o one.h5
    lepton-prep --recipe one.h5 two.tsv --split 0/0/100 -q -o two.h5
    for part in recipe classes; do same /meta/$part one.h5 two.h5; done
    lepton-train one.h5 --net fasttext --epochs 3 -q -o model.h5
    lepton-eval model.h5 two.h5
    lepton-infer model.h5 two.tsv 2>/dev/null | cut -f2,3 | sort >direct
    lepton-infer model.h5 two.h5:test | cut -f2,3 | sort | cmp - direct
  done
  lepton-prep --recipe model.h5 one.tsv two.tsv -q -o both.h5
  lepton-train both.h5 --init model.h5 --epochs 1 -q -o tuned.h5
  lepton-prep two.tsv -q -o own.h5
  run lepton-train own.h5 --init model.h5 -o tuned.h5
  expect 7 "lepton-prep --recipe"
  run lepton-prep --recipe model.h5 two.tsv --tokens words -o out.h5
  expect 2 "--tokens: --recipe model.h5"
  printf 'a,b,label\n1,2,x\n2,3,y\n' >table.csv
  run lepton-prep --recipe model.h5 table.csv -o out.h5
  expect 7 "names no column 'text'"
  tr , '\t' <table.csv >table.tsv
  run lepton-prep --recipe model.h5 table.tsv -o out.h5
  expect 7 "names no column 'text'"
  while IFS=$'\t' read -r label text; do
    mkdir -p "docs/$label" && echo "$text" >"docs/$label/$((n++)).txt"
  done <two.tsv
  run lepton-prep --recipe model.h5 docs -o out.h5
  expect 7 "docs: holds a text a file, not a line"
  lepton-prep docs -q -o docs.h5
  lepton-prep --recipe docs.h5 docs -q -o again.h5
  same /test/x docs.h5 again.h5
  run lepton-prep --recipe docs.h5 two.tsv -o out.h5
  expect 7 "two.tsv: holds a text a line, not a file"
  tree photos neg pos
  run lepton-prep --recipe docs.h5 photos -o out.h5
  expect 7 "photos: holds images"
}

@test "tables: columns by name, types, levels, medians and target are the model's" {
  awk -v rows=300 -f "$BATS_TEST_DIRNAME/../tables/make.awk" >one.csv
  lepton-prep one.csv --column customer=ignored --na none -q -o one.h5
  lepton-train one.h5 --epochs 2 -q -o model.h5
  printf 'label;income;since;age;city;extra\nyes;2000;2005-01-01;50;Oslo;x\nno;none;2005-01-01;20;Nowhere;y\n' >two.csv
  run lepton-prep --recipe model.h5 --test two.csv -o two.h5
  expect 0 "2 rows of"
  for part in recipe classes mean std; do same /meta/$part one.h5 two.h5; done
  lepton-eval model.h5 two.h5
  lepton-infer model.h5 two.csv | cut -f2,3 >direct
  lepton-infer model.h5 two.h5:test | cut -f2,3 | cmp - direct
  cut -d';' -f1-4 two.csv >less.csv
  run lepton-prep --recipe model.h5 less.csv -o out.h5
  expect 7 "less.csv: lacks the column 'city'"
  for wrong in '--column age=category' '--na x' '--max-levels 3' '--task regression'; do
    # shellcheck disable=SC2086
    run lepton-prep --recipe model.h5 two.csv $wrong -o out.h5
    expect 2 "${wrong%% *}: --recipe model.h5"
  done
  tree photos cat dog
  run lepton-prep --recipe model.h5 photos -o out.h5
  expect 7 "holds files, being a folder; the recipe of model.h5 is for tables"
  run lepton-prep --recipe model.h5 photos/cat/0.png -o out.h5
  expect 7 "holds an image"
  awk 'BEGIN { print "a,b,price"; for (i = 0; i < 60; ++i) printf "%d.5,%d,%d.25\n", i, i % 7, 3 * i }' >prices.csv
  lepton-prep prices.csv -q -o prices.h5
  printf 'price,comment,a,b\n7,x,3,2\n' >more.csv
  lepton-prep --recipe prices.h5 --test more.csv -q -o more.h5
  for part in target_mean target_std classes; do same /meta/$part prices.h5 more.h5; done
}

@test "options that mean nothing for the kind of data are refused by name" {
  tree photos cat dog
  words words yes no
  perl "$BATS_TEST_DIRNAME/texts.pl" 40 1 >texts.tsv
  printf 'a,b,label\n1,2,x\n2,3,y\n3,4,x\n' >table.csv
  mkdir -p docs/a && echo some text >docs/a/1.txt
  while read -r input option value; do
    # shellcheck disable=SC2086
    run lepton-prep "$input" "$option" $value -o out.h5
    expect 2 "$option is for"
  done <<'END'
photos --rate 8000
photos --label x
photos --tokens words --type image
photos --na x
photos --header-line yes
words --size 4x4
words --max-pixels 4
words --length 3
table.csv --labels labels.tsv
table.csv --label-regex x
table.csv --gray
table.csv --max-members 3
table.csv --encoding UTF-16
texts.tsv --labels labels.tsv
texts.tsv --id x
texts.tsv --trim
texts.tsv --max-file-bytes 10
docs --text x
docs --label x
docs --column a=number
END
  for wrong in '--vocabulary 9' '--tokens words --buckets 8' '--tokens subword --min-count 2'; do
    # shellcheck disable=SC2086
    run lepton-prep texts.tsv $wrong -o out.h5
    expect 2 "is for --tokens"
  done
  echo table.csv >list
  run lepton-prep --type table --files-from list table.csv -o out.h5
  expect 2 "--files-from is for"
  printf 'a,b,price\n1,2,1.5\n2,3,2.5\n3,4,3.5\n' >prices.csv
  run lepton-prep prices.csv --class-names x,y -o out.h5
  expect 2 "--class-names"
  lepton-prep photos -q -o photos.h5
  run lepton-prep --check photos.h5 --size 4x4
  expect 2 "--size has no effect"
  run lepton-prep --list photos.h5 photos
  expect 2 "no INPUT beside it"
}

@test "documents are labelled by a list or by their names, too" {
  mkdir docs
  perl "$BATS_TEST_DIRNAME/texts.pl" 40 1 | while IFS=$'\t' read -r label text; do
    echo "$text" >"docs/${label}_$((n++)).txt"
    printf '%s_%s.txt\t%s!\n' "$label" "$((n - 1))" "$label" >>labels.tsv
  done
  echo "gone.txt	neg!" >>labels.tsv
  run lepton-prep docs --type text --labels labels.tsv -o out.h5
  expect 0 "labels.tsv: 1 of 41 rows name no input"
  [ "$(lepton-prep --list out.h5 | cut -f2 | sort -u | tr '\n' ' ')" = "neg! pos! " ]
  find docs -name '*.txt' | sort >names
  lepton-prep --type text --files-from names --label-regex '^([a-z]+)_' --depfile out.d -q -o out.h5
  [ "$(lepton-prep --list out.h5 | cut -f2 | sort -u | tr '\n' ' ')" = "neg pos " ]
  grep -q docs/ out.d
  head -n 30 labels.tsv >some.tsv
  run lepton-prep docs --type text --labels some.tsv -o out.h5 --max-errors 99%
  expect 0 "has no label in some.tsv"
}
