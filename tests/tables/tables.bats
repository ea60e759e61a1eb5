# Tables from CSV to predictions: types, columns by name, regression, bad rows.
load ../common

setup_file() {
  export made="$BATS_FILE_TMPDIR"
  cd "$made" || return 1
  awk -v rows=600 -f "$BATS_TEST_DIRNAME/make.awk" >customers.csv
  lepton-prep -q customers.csv --split-key customer -o rows.h5
  lepton-train -q rows.h5 --epochs 12 -o model.h5
  awk 'BEGIN { srand(3); print "a,b,price"; for (i = 0; i < 400; ++i) { a = rand(); b = rand();
    printf "%.4f,%.4f,%.3f\n", a, b, 5000 + 300 * a - 200 * b } }' >prices.csv
  lepton-prep -q prices.csv -o prices.h5
  lepton-train -q prices.h5 --epochs 20 --log prices.log -o prices.model.h5
}

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

@test "a table is known by its content, its types are found, its classes are learned" {
  run lepton-prep -v "$made/customers.csv" --column customer=ignored -o out.h5
  expect 0 "600 rows of 12 values, 2 classes"
  run lepton-eval "$made/model.h5" "$made/rows.h5" --fail-under accuracy=0.8
  expect 0 "accuracy"
  lepton-prep -j1 "$made/customers.csv" -o one.h5
  lepton-prep -j3 "$made/customers.csv" -o three.h5
  cmp one.h5 three.h5
  gzip -c "$made/customers.csv" >customers.csv.gz
  lepton-prep - -o stdin.h5 <customers.csv.gz
  [ "$(lepton-prep --list stdin.h5 | cut -f2- | sort | md5sum)" = "$(lepton-prep --list one.h5 | cut -f2- | sort | md5sum)" ]
}

@test "--split-key keeps a customer's rows together" {
  lepton-prep --list "$made/rows.h5" | cut -f1,3 | sed 's/.*:\([0-9]*\)\t/\1\t/' | sort -n >splits
  awk -F, 'NR > 1 { print NR "\t" $1 }' "$made/customers.csv" | sort -n >keys
  join -t "$(printf '\t')" splits keys 2>/dev/null | cut -f2,3 | sort -u | cut -f2 | sort | uniq -d >both
  [ ! -s both ]
  [ "$(cut -f2 splits | sort -u | wc -l)" -eq 3 ]
}

@test "files named for splits, columns by name in any order" {
  head -400 "$made/customers.csv" >c_train.csv
  { printf 'label;income;since;age;city;extra\n'; printf 'yes;2000;2005-01-01;50;Oslo;x\nno;;2005-01-01;20;Bonn;y\n'; } >c_test.csv
  run lepton-prep c_train.csv c_test.csv -o out.h5
  expect 7 "lacks the column 'customer'"
  cut -d, -f2- c_train.csv >d_train.csv
  run lepton-prep d_train.csv --test c_test.csv -o out.h5
  expect 0 "train 399 test 2"
}

@test "predictions: columns in any order, more of them, missing ones named" {
  row='city,since,age,income,other'
  lepton-infer "$made/model.h5" - <<<"$row"$'\nOslo,2005-01-01,60,?,1' >one
  [ "$(cut -f1,2 one)" = "$(printf -- '-:2\tyes')" ]
  lepton-infer "$made/model.h5" - <<<$'age\tincome\tcity\tsince\n60\t\tOslo\t2005-01-01' >two
  cmp one two
  lepton-infer "$made/model.h5" - <<<'60,Oslo,2005-01-01,' | cut -f2,3 >three
  [ "$(cat three)" = "$(cut -f2,3 one)" ]
  run lepton-infer "$made/model.h5" - <<<$'age,city,since\n60,Oslo,2005-01-01'
  expect 7 "lacks the column 'income'"
  run lepton-infer "$made/model.h5" - <<<$'1,2,3'
  expect 7 "names none of the columns"
  run lepton-infer -v "$made/model.h5" - <<<"$row"
  expect 0 "columns not used: 'other'"
}

@test "a file, its rows on standard input and its split are answered alike" {
  lepton-infer "$made/model.h5" "$made/customers.csv" | cut -f2- >file
  lepton-infer "$made/model.h5" - <"$made/customers.csv" | cut -f2- >stdin
  cmp file stdin
  [ "$(wc -l <file)" -eq 600 ]
  lepton-infer "$made/model.h5" "$made/rows.h5:test" | tail -1 >last
  line=$(sed 's/.*:\([0-9]*\)\t.*/\1/' last)
  [ "$(sed -n "$((line - 1))p" file)" = "$(cut -f2- last)" ]
}

@test "a row is answered before the next one comes" {
  mkfifo rows answers
  lepton-infer "$made/model.h5" - <rows >answers &
  exec 5>rows 6<answers
  printf 'age,city,since,income\n60,Oslo,2005-01-01,\n' >&5
  read -r -t 20 first <&6
  [[ "$first" == "-:2"$'\t'yes* ]]
  printf '20,Bonn,2005-01-01,2000\n' >&5
  read -r -t 20 second <&6
  [[ "$second" == "-:3"$'\t'no* ]]
  exec 5>&- 6<&-
  wait
}

@test "--id and --pass-through" {
  printf 'key,age,city,since,income\nx1,60,Oslo,2005-01-01,\nx2,20,"Rio, RJ",2005-01-01\n' >in.csv
  run bash -c 'lepton-infer "$1" in.csv --id key --pass-through --header --format csv 2>said' _ "$made/model.h5"
  [ "$status" -eq 3 ]
  [ "${lines[0]}" = "input,label,score,key,age,city,since,income" ]
  [[ "${lines[1]}" == x1,yes,*,x1,60,Oslo,2005-01-01, ]]
  [ "${lines[2]}" = 'in.csv:3,,,"has 4 fields, expected 5"' ]
  lepton-infer "$made/model.h5" in.csv --pass-through --format jsonl | head -1 | grep -q '"columns":{"key":"x1","age":"60"'
  run lepton-infer "$made/model.h5" in.csv --id nokey
  expect 2 "no such column"
}

@test "numbers: trained, logged, measured, answered in their units" {
  tail -1 "$made/prices.log" | grep -q '"val_rmse":'
  ! grep -q accuracy "$made/prices.log"
  run lepton-eval "$made/prices.model.h5" "$made/prices.h5" --fail-under r2=0.9 --fail-over rmse=40
  expect 0 "rmse"
  run lepton-eval "$made/prices.model.h5" "$made/prices.h5" --fail-under r2=1.1
  expect 9 "r2"
  value=$(lepton-infer "$made/prices.model.h5" - <<<$'b,a\n0.5,0.5' | cut -f2)
  awk -v v="$value" 'BEGIN { exit !(v > 4980 && v < 5120) }'
  lepton-infer "$made/prices.model.h5" - --format jsonl <<<$'b,a\n0.5,0.5' | grep -q '"value":5'
  run lepton-infer "$made/prices.model.h5" - --probs <<<$'b,a\n0.5,0.5'
  expect 2 "predicts numbers"
  run lepton-eval "$made/prices.model.h5" "$made/rows.h5"
  expect 7 "rows.h5"
  run lepton-train "$made/prices.h5" --target accuracy=0.9 -o x.h5
  expect 2 "rmse=X"
  lepton-train "$made/prices.h5" --target rmse=1000 --epochs 20 --log early.log -q -o x.h5
  [ "$(wc -l <early.log)" -lt 20 ]
}

@test "--task, --label and names of numbered classes" {
  awk 'BEGIN { print "target,x"; for (i = 0; i < 60; ++i) print i % 3 "," i % 3 + i / 100 }' >t.csv
  run lepton-prep t.csv -o out.h5
  expect 0 "60 rows of 1 values, 3 classes"
  run lepton-prep t.csv --task regression -o out.h5
  expect 0 "1 target"
  run lepton-prep t.csv --label x --task classification -o out.h5
  expect 0 "60 classes"
  run lepton-prep t.csv --class-names low,mid,high -o out.h5 --stats
  expect 0 "$(printf 'high\t')"
  run lepton-prep t.csv --label y -o out.h5
  expect 2 "no such column"
  run lepton-prep t.csv --column y=number -o out.h5
  expect 2 "no such column"
  run lepton-prep t.csv --column x=nubmer -o out.h5
  expect 2 "did you mean 'number'"
}

@test "bad rows are named by file and line, counted and bounded" {
  cp "$made/customers.csv" bad.csv
  { echo 'k1,20,Bern,2001-01-01'; printf 'k1,20,Be\0rn,2001-01-01,1,no\n'; printf 'k1,20,B\xff,2001-01-01,1,no\n'
    echo 'k1,20,Bern,2001-01-01,1,'; echo 'k1,old,Bern,2001-01-01,1,no'; echo 'k1,20,"Bern,2001-01-01,1,no'; } >>bad.csv
  run lepton-prep --type table bad.csv --error-report report.tsv -o out.h5
  expect 0 "6 bad inputs skipped"
  grep -q "bad.csv:602"$'\t'"has 4 fields, expected 6" report.tsv
  grep -q "bad.csv:603"$'\t'"field 3 holds a NUL byte" report.tsv
  grep -q "bad.csv:604"$'\t'"field 3 is no UTF-8" report.tsv
  grep -q "bad.csv:605"$'\t'"has no label in column 'label'" report.tsv
  grep -q "bad.csv:606"$'\t'"column 'age' holds 'old', which is no number" report.tsv
  grep -q "bad.csv:607"$'\t'"the quote opened in field 3" report.tsv
  run lepton-prep --type table bad.csv --max-errors 5 -o none.h5
  expect 3 "6 of 606 inputs are bad"
  [ ! -e none.h5 ]
}

@test "columns of no use, and tables of none" {
  awk 'BEGIN { print "same,empty,text,x,label"; for (i = 0; i < 80; ++i) print "1,,t" i "," i % 7 "," (i % 7 > 3 ? "a" : "b") }' >t.csv
  run lepton-prep t.csv -o out.h5
  expect 0 "column 'same' is the same in all training rows: ignored"
  [[ "$output" == *"column 'empty' is empty in all training rows: ignored"* ]]
  [[ "$output" == *"column 'text' holds 64 different texts in 64 training rows: ignored"* ]]
  cut -d, -f1,2,5 t.csv >none.csv
  run lepton-prep none.csv -o out.h5
  expect 4 "no column is of use"
  printf 'label\na\nb\n' >one.csv
  run lepton-prep --type table one.csv -o out.h5
  expect 4 "nothing to learn from"
  : >empty.csv
  run lepton-prep --type table empty.csv -o out.h5
  expect 4 "is empty"
  printf 'a,label\n1,x\n2,x\n3,x\n' >class.csv
  run lepton-prep class.csv -o out.h5
  expect 4 "of one class, 'x'"
  printf '\xff\xfea\0,\0b\0' >wide.csv
  run lepton-prep --type table wide.csv -o out.h5
  expect 4 "UTF-16"
  cp t.csv same.h5
  run lepton-prep --type table same.h5 -o same.h5
  expect 2 "is an input too"
}

@test "ten thousand columns, and a level seen once" {
  awk 'BEGIN { for (c = 0; c < 10000; ++c) printf "c%d,", c; print "label"
    for (r = 0; r < 12; ++r) { for (c = 0; c < 10000; ++c) printf "%d,", (c * 7 + r * r) % 10; print r % 2 } }' >wide.csv
  run lepton-prep wide.csv --split 70/30 -o out.h5
  expect 0 "12 rows of 10,000 values"
  awk 'BEGIN { print "colour,label"; for (i = 0; i < 40; ++i) print (i == 7 ? "rare" : i % 2 ? "red" : "blue") "," (i % 2 ? "a" : "b") }' >c.csv
  run lepton-prep c.csv --split 100/0/0 -o out.h5
  expect 0 "40 rows of 3 values"
}

@test "--importance names the columns that matter first" {
  lepton-eval "$made/prices.model.h5" "$made/prices.h5" --importance >importance.tsv
  [ "$(head -1 importance.tsv)" = "$(printf 'split\tmetric\tcolumn\tdrop\tlow\thigh')" ]
  [ "$(sed -n 2p importance.tsv | cut -f1-3)" = "$(printf 'test\trmse\ta')" ]
  [ "$(wc -l <importance.tsv)" -eq 3 ]
  lepton-eval "$made/model.h5" "$made/rows.h5" --importance | sed -n 2p | grep -q "^test	roc_auc	"
  run lepton-eval "$made/model.h5" "$made/rows.h5" --importance --json
  expect 2 "--importance"
}
