# int8: ranges measured and stored, what it costs told and bounded.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  make_shared
  cd "$BATS_TEST_TMPDIR" || return 1
  data=$shared/data.h5
  if ! [ -e "$BATS_FILE_TMPDIR/m.h5" ]; then
    lepton-train "$data" --net 'conv 16 3x3 bn relu; conv 16 3x3 bn relu; globalpool avg; dense classes' --epochs 3 \
      --batch 16 --augment none -j1 -q -o "$BATS_FILE_TMPDIR/m.h5"
  fi
  cp "$BATS_FILE_TMPDIR/m.h5" m.h5
}

metric() { awk -F'\t' -v name="$1" '$2 == name {print $3}'; }

@test "without ranges int8 is refused, and the command that measures them named" {
  for tool in "lepton-eval m.h5 $data" "lepton-infer m.h5 $data:test"; do
    run $tool --precision int8
    expect 7 "lepton-eval MODEL.h5 DATA.h5 --precision int8 --write"
  done
  run lepton-train "$data" --precision int8 -o x.h5
  expect 2 "int8"
}

@test "ranges are measured on val or train, stored, and used by lepton-infer; fp32 answers stay" {
  lepton-infer m.h5 "$data:test" --probs >before
  run lepton-eval m.h5 "$data" --precision int8 --write
  expect 0 "measured on"
  lepton-infer m.h5 "$data:test" --probs >after
  cmp before after
  lepton-infer m.h5 "$data:test" --probs --precision int8 >int8
  run ! cmp -s before int8
  # Neither batch nor threads change a byte, nor does measuring again.
  lepton-infer m.h5 "$data:test" --probs --precision int8 --batch 3 -j1 | cmp - int8
  cp m.h5 first.h5
  lepton-eval m.h5 "$data" --precision int8 --write -q >/dev/null
  cmp m.h5 first.h5
  run lepton-eval m.h5 "$data:test" --precision int8 --write
  expect 0 "measured on test samples"
}

@test "--max-drop compares with fp32, whatever metric the model stores" {
  lepton-eval m.h5 "$data" --precision int8 --write -q >/dev/null
  lepton-eval m.h5 "$data:test" >fp32
  lepton-eval m.h5 "$data:test" --precision int8 --max-drop accuracy=0.05 >int8
  [ "$(metric accuracy_fp32 <int8)" = "$(metric accuracy <fp32)" ]
  awk -v a="$(metric accuracy <int8)" -v b="$(metric accuracy <fp32)" -v d="$(metric accuracy_drop <int8)" \
    'BEGIN {exit !(b - a - d < 1e-5 && a + d - b < 1e-5)}'
  run lepton-eval m.h5 "$data:test" --precision int8 --max-drop log_loss=-1
  expect 9 "worse than in fp32,"
}

@test "processors without exact products of bytes answer about the same" {
  lepton-eval m.h5 "$data" --precision int8 --write -q >/dev/null
  for isa in SSE41 AVX2 AVX512_CORE; do
    ONEDNN_MAX_CPU_ISA=$isa lepton-eval m.h5 "$data:test" --precision int8 --max-drop accuracy=0.05 \
      --max-drop log_loss=0.05 --device cpu
  done
}
