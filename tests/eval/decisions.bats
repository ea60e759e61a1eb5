# Thresholds, temperature, comparison, curves and plots, on two classes that overlap.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  make_shared
  make_two
  cd "$two" || return 1
  cp model.h5 "$BATS_TEST_TMPDIR/m.h5"
  m=$BATS_TEST_TMPDIR/m.h5
}

json() { perl -MJSON::PP -e 'local $/; $j = decode_json(<STDIN>); print eval $ARGV[0], "\n"' "$1"; }
# metric NAME SPLIT: its value in the TSV on standard input
metric() { awk -F'\t' -v name="$1" -v split_="${2:-val}" '$1 == split_ && $2 == name {print $3}'; }
# least A B: A >= B as numbers
least() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a >= b)}' || { echo "$1 is less than $2"; return 1; }; }

@test "two classes: sensitivity, specificity and areas with intervals, usable in gates" {
  lepton-eval model.h5 data.h5 --json >"$BATS_TEST_TMPDIR/json"
  for name in sensitivity specificity precision f1 roc_auc pr_auc; do
    [ "$(json "\$m = \$j->{$name}; \$m->{low} < \$m->{value} && \$m->{value} < \$m->{high}" <"$BATS_TEST_TMPDIR/json")" = 1 ]
  done
  [ "$(json '$j->{positive_class}' <"$BATS_TEST_TMPDIR/json")" = ill ]
  run lepton-eval model.h5 data.h5 --fail-under roc-auc=0.8 --fail-under roc_auc:normal=0.8
  expect 0 "roc_auc"
  run lepton-eval model.h5 data.h5 --fail-under roc_auc=0.999
  expect 9 "under 0.999"
  # Of the other class they change places.
  [ "$(lepton-eval model.h5 data.h5 --positive normal --json | json '$j->{specificity}{value}')" \
    = "$(json '$j->{sensitivity}{value}' <"$BATS_TEST_TMPDIR/json")" ]
  run lepton-eval "$shared/model.h5" "$shared/data.h5" --positive left
  expect 2 "3 classes"
  run lepton-eval "$shared/model.h5" "$shared/data.h5" --fail-under roc_auc=0.5
  expect 2 "no roc_auc"
  run lepton-eval "$shared/model.h5" "$shared/data.h5" --fail-under macro_roc_auc=0.9
  expect 0 "macro_pr_auc"
}

@test "--threshold-for chooses on val, reaches what is wanted, and tells of all splits" {
  lepton-eval model.h5 data.h5 --threshold-for recall=0.98 >"$BATS_TEST_TMPDIR/recall"
  least "$(metric sensitivity <"$BATS_TEST_TMPDIR/recall")" 0.98
  [ "$(metric samples <"$BATS_TEST_TMPDIR/recall")" = 150 ]
  least "$(lepton-eval model.h5 data.h5 --threshold-for specificity=0.97 | metric specificity)" 0.97
  least "$(lepton-eval model.h5 data.h5 --threshold-for precision=0.85 | metric precision)" 0.85
  lepton-eval model.h5 data.h5:val,test --threshold-for recall=0.98 >"$BATS_TEST_TMPDIR/both"
  t=$(metric threshold <"$BATS_TEST_TMPDIR/both")
  [ "$t" = "$(metric threshold test <"$BATS_TEST_TMPDIR/both")" ]
  # A missed one at five times the price lowers the threshold.
  even=$(lepton-eval model.h5 data.h5 --threshold-for cost=FP:1,FN:1 | metric threshold)
  dear=$(lepton-eval model.h5 data.h5 --threshold-for cost=FP:1,FN:5 | metric threshold)
  least "$even" "$dear"
  [ "$even" != "$dear" ]
  run --separate-stderr lepton-eval model.h5 data.h5:test --threshold-for recall=0.9
  [ "$status" -eq 0 ]
  [[ $stderr == *"chosen on test samples"* ]]
  run --separate-stderr lepton-eval model.h5 data.h5 --threshold-for recall=0.9
  [ -z "$stderr" ]
  run lepton-eval "$shared/model.h5" "$shared/data.h5:train" --threshold-for recall=0.9
  expect 2 "needs two classes"
  run lepton-eval "$shared/model.h5" "$shared/data.h5" --threshold-for recall=0.9
  expect 4 "no val samples"
  for bad in recall recall=2 cost=FP:1 f1=0.5; do
    run lepton-eval model.h5 data.h5 --threshold-for "$bad"
    expect 2 "--threshold-for"
  done
}

@test "--write keeps it in the model, same bytes for the same input; both tools obey it" {
  run --separate-stderr lepton-eval "$m" data.h5 --threshold-for recall=0.98 --write
  [ "$status" -eq 0 ]
  [[ $stderr == *'"threshold":'*'"positive":"ill"'*'"rule":"recall=0.98"'* ]]
  t=$(metric threshold <<<"$output")
  cp "$m" "$BATS_TEST_TMPDIR/once.h5"
  lepton-eval -q "$m" data.h5 --threshold-for recall=0.98 --write >/dev/null
  cmp "$m" "$BATS_TEST_TMPDIR/once.h5"
  # Nothing changes unless it is asked for.
  [ "$(lepton-eval "$m" data.h5)" = "$(lepton-eval model.h5 data.h5)" ]
  [ "$(lepton-infer "$m" data.h5)" = "$(lepton-infer model.h5 data.h5)" ]
  lepton-infer "$m" data.h5 --threshold model >"$BATS_TEST_TMPDIR/stored"
  lepton-infer model.h5 data.h5 --threshold "$t" | cmp - "$BATS_TEST_TMPDIR/stored"
  lepton-infer model.h5 data.h5 --probs | awk -F'\t' -v t="$t" '{print ($5 >= t ? "ill" : "normal")}' |
    cmp - <(cut -f2 "$BATS_TEST_TMPDIR/stored")
  # The score is that of the label, also where it is the smaller one.
  lepton-infer "$m" data.h5 --threshold model --probs |
    awk -F'\t' '{if ($3 != ($2 == "ill" ? $5 : $4)) exit 1; less += $3 < 0.5} END {exit !less}'
  [ "$(lepton-eval --predictions "$BATS_TEST_TMPDIR/stored" --truth data.h5 | metric sensitivity predictions)" \
    = "$(lepton-eval "$m" data.h5 --threshold model | metric sensitivity test)" ]
  [ "$(lepton-infer "$m" data.h5 --threshold model --format jsonl --top 2 |
    perl -MJSON::PP -ne '$j = decode_json($_); $n += $j->{label} eq $j->{top}[0]{label}; END {print $n}')" = 150 ]
}

@test "a threshold of several classes leaves labels out" {
  lepton-infer "$shared/model.h5" "$shared/data.h5" --threshold 0.999 >"$BATS_TEST_TMPDIR/p"
  undecided=$(awk -F'\t' '$2 == "" && $3 < 0.999' "$BATS_TEST_TMPDIR/p" | wc -l)
  [ "$undecided" -gt 0 ]
  [ "$undecided" -lt 60 ]
  lepton-eval "$shared/model.h5" "$shared/data.h5" --threshold 0.999 --worst 60 >"$BATS_TEST_TMPDIR/e"
  [ "$(metric unanswered test <"$BATS_TEST_TMPDIR/e")" -eq "$undecided" ]
  [ "$(lepton-eval --predictions "$BATS_TEST_TMPDIR/p" --truth "$shared/data.h5" | metric accuracy predictions)" \
    = "$(metric accuracy test <"$BATS_TEST_TMPDIR/e")" ]
}

@test "--calibrate: a temperature lowers the log-loss on val, is stored and obeyed, and moves a stored threshold along" {
  lepton-eval -q "$m" data.h5 --threshold-for recall=0.98 --write >/dev/null
  lepton-infer "$m" data.h5 --threshold model | cut -f2 >"$BATS_TEST_TMPDIR/before"
  run --separate-stderr lepton-eval -q "$m" data.h5 --calibrate --write
  [ "$status" -eq 0 ]
  least "$(metric log_loss_before <<<"$output")" "$(metric log_loss <<<"$output")"
  [ "$(metric temperature <<<"$output")" != 1 ]
  [ "$(lepton-eval "$m" data.h5:val | metric log_loss)" = "$(metric log_loss <<<"$output")" ]
  [ "$(lepton-infer "$m" data.h5 | cut -f3)" != "$(lepton-infer model.h5 data.h5 | cut -f3)" ]
  [ "$(lepton-infer "$m" data.h5 | cut -f2)" = "$(lepton-infer model.h5 data.h5 | cut -f2)" ]
  lepton-infer "$m" data.h5 --threshold model | cut -f2 | cmp - "$BATS_TEST_TMPDIR/before"
}

@test "what does not go" {
  run lepton-eval model.h5 data.h5 --threshold model
  expect 7 "stores no threshold"
  run lepton-infer model.h5 data.h5 --threshold model
  expect 7 "stores no threshold"
  run lepton-infer model.h5 data.h5 --threshold 2
  expect 2 "0 to 1"
  run lepton-infer model.h5 data.h5 --positive ill
  expect 2 "--threshold"
  run lepton-infer model.h5 data.h5 --threshold 0.5 --positive cat
  expect 2 "'normal' and 'ill'"
  run lepton-infer model.h5 data.h5 --threshold 0.5 --embed last
  expect 2 "--embed"
  run lepton-eval model.h5 data.h5 --write
  expect 2 "--calibrate"
  run lepton-eval - data.h5 --calibrate --write <model.h5
  expect 2 "no file"
  run lepton-eval model.h5 data.h5 --threshold 0.5 --threshold-for recall=0.5
  expect 2 "not both"
  run lepton-eval --predictions x --truth y --threshold 0.5
  expect 2 "need a model"
  chmod a-w "$m"
  if [ ! -w "$m" ]; then
    run lepton-eval "$m" data.h5 --calibrate --write
    expect 5 "m.h5"
  fi
}

@test "--compare: another model on the same samples" {
  lepton-train data.h5 --net 'dense classes' --epochs 1 --batch 240 --lr 0.0001 --augment none -j1 -q \
    -o "$BATS_TEST_TMPDIR/poor.h5"
  lepton-eval model.h5 data.h5 --compare "$BATS_TEST_TMPDIR/poor.h5" --json >"$BATS_TEST_TMPDIR/json"
  [ "$(json 'sprintf "%.6f", $j->{accuracy}{value} - $j->{other_accuracy}{value} - $j->{accuracy_difference}{value}' \
    <"$BATS_TEST_TMPDIR/json")" = 0.000000 ]
  [ "$(json 'sprintf "%.6f", ($j->{only_this_right}{value} - $j->{only_other_right}{value}) / 150
    - $j->{accuracy_difference}{value}' <"$BATS_TEST_TMPDIR/json")" = 0.000000 ]
  [ "$(json '$j->{mcnemar_p}{value} < 0.05' <"$BATS_TEST_TMPDIR/json")" = 1 ]
  [ "$(lepton-eval model.h5 data.h5 --compare model.h5 | metric mcnemar_p test)" = 1 ]
  run lepton-eval model.h5 data.h5 --compare "$BATS_TEST_TMPDIR/poor.h5" --fail-under accuracy_difference=0.9
  expect 9 "accuracy_difference"
  cp "$shared/model.h5" "$BATS_TEST_TMPDIR/three.h5"
  run lepton-eval model.h5 data.h5 --compare "$BATS_TEST_TMPDIR/three.h5"
  expect 7 "does not know"
}

@test "--curves: points that are what a threshold gives" {
  lepton-eval -q model.h5 data.h5:val,test --curves "$BATS_TEST_TMPDIR/c.tsv" >/dev/null
  [ "$(head -n1 "$BATS_TEST_TMPDIR/c.tsv")" = $'split\tclass\tcurve\tx\ty\tthreshold\tsamples' ]
  [ "$(tail -n+2 "$BATS_TEST_TMPDIR/c.tsv" | cut -f1-3 | sort -u | wc -l)" -eq 6 ]
  [ "$(awk -F'\t' '$1 == "test" && $3 == "calibration" {n += $7} END {print n}' "$BATS_TEST_TMPDIR/c.tsv")" = 150 ]
  # A point in the middle of the precision-recall curve.
  read -r x y t < <(awk -F'\t' '$1 == "val" && $3 == "precision_recall" {print $4, $5, $6}' "$BATS_TEST_TMPDIR/c.tsv" | sed -n 20p)
  t=$(awk -v t="$t" 'BEGIN {printf "%.7f", t - 1e-6}')
  lepton-eval model.h5 data.h5:val --threshold "$t" >"$BATS_TEST_TMPDIR/at"
  [ "$(metric sensitivity <"$BATS_TEST_TMPDIR/at")" = "$x" ]
  [ "$(metric precision <"$BATS_TEST_TMPDIR/at")" = "$y" ]
  [ "$(lepton-eval "$shared/model.h5" "$shared/data.h5" --curves - | awk 'BEGIN {RS = ""} END {print NR}')" = 2 ]
  run lepton-eval model.h5 data.h5 --curves no/such/folder/c.tsv
  expect 5 "no/such/folder"
}

@test "--plot: SVG and PNG, of the model, of the log, or of both" {
  command -v gnuplot >/dev/null || skip "gnuplot is not installed"
  cd "$BATS_TEST_TMPDIR"
  lepton-train "$two/data.h5" --net 'dense classes' --epochs 3 --augment none -q --log log.jsonl -o other.h5
  run lepton-eval "$m" "$two/data.h5:val,test" --plot all.svg --plot-log log.jsonl
  expect 0 "roc_auc"
  for text in "ROC, ill" "Precision and recall, ill" Calibration "Confusion, val" "Loss while training" "val, area 0."; do
    grep -q "$text" all.svg
  done
  lepton-eval "$m" "$two/data.h5:val,test" --plot again.svg --plot-log log.jsonl >/dev/null
  cmp all.svg again.svg
  lepton-eval "$shared/model.h5" "$shared/data.h5" --plot three.png >/dev/null
  [[ $(file three.png) == *"PNG image data, 1040 x 880"* ]]
  run lepton-eval --plot-log log.jsonl --plot log.svg
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  grep -q "Accuracy while training" log.svg
  run ! grep -q ROC log.svg
  run lepton-eval "$m" "$two/data.h5" --plot all.gif
  expect 2 ".svg or .png"
  run lepton-eval --plot-log log.jsonl
  expect 2 "--plot"
  echo '{"epoch":1' >bad.jsonl
  run lepton-eval --plot-log bad.jsonl --plot bad.svg
  expect 7 "bad.jsonl:1"
  [ ! -e bad.svg ]
  tools=$(dirname "$(command -v lepton-eval)")
  PATH=$tools run lepton-eval "$m" "$two/data.h5" --plot all.svg
  expect 2 "gnuplot-nox"
  cmp all.svg again.svg
}
