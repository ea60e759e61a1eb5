# The two file formats as every tool meets them: readable by others, refused when damaged or foreign.
load ../common
bats_require_minimum_version 1.5.0

setup() {
  make_shared
  cd "$shared" || return 1
}

# offer FILE: to every tool, as dataset and as model; each must end with 6 or 7, name the file and be alive to say so.
offer() {
  local file=$1 command status bad=0
  local -a commands=(
    "lepton-prep --check"
    "lepton-train -o $BATS_TEST_TMPDIR/never.h5 --epochs 1"
    "lepton-train data.h5 -o $BATS_TEST_TMPDIR/never.h5 --epochs 1 --init"
    "lepton-infer model.h5"
    "lepton-eval model.h5"
  )
  for command in "${commands[@]}" "lepton-infer FILE data.h5" "lepton-eval FILE data.h5"; do
    if [[ $command == *FILE* ]]; then command=${command/FILE/"$file"}; else command="$command $file"; fi
    # A file that lepton-infer does not know for a dataset is an input like any other: a bad one (3).
    # shellcheck disable=SC2086
    status=0
    timeout 60 $command >/dev/null 2>"$BATS_TEST_TMPDIR/message" </dev/null || status=$?
    case $status:$command in
      6:* | 7:*) grep -qF "$(basename "$file")" "$BATS_TEST_TMPDIR/message" || { echo "$command: file not named"; bad=1; } ;;
      3:"lepton-infer model.h5"*) ;;
      *) echo "$command: status $status: $(cat "$BATS_TEST_TMPDIR/message")"; bad=1 ;;
    esac
  done
  [ ! -e "$BATS_TEST_TMPDIR/never.h5" ] || bad=1
  return $bad
}

@test "the examples of lepton-formats(5) work" {
  command -v h5dump >/dev/null || skip "h5dump is not installed"
  h5dump -d /net model.h5 | grep -q classes
  h5dump -d /meta/classes data.h5 | grep -q '"left.*"middle.*"right'
}

@test "files cut short are refused by every tool" {
  for kind in data model; do
    size=$(stat -c %s $kind.h5)
    for length in 0 100 $((size / 2)) $((size - 1)); do
      head -c "$length" $kind.h5 >"$BATS_TEST_TMPDIR/cut.h5"
      offer "$BATS_TEST_TMPDIR/cut.h5"
    done
  done
}

@test "a dataset is no model and a model no dataset" {
  run ! lepton-infer data.h5 data.h5
  [ "$status" -eq 7 ]
  run ! lepton-eval model.h5 model.h5
  [ "$status" -eq 7 ]
  run ! lepton-train model.h5 -o "$BATS_TEST_TMPDIR/never.h5"
  [ "$status" -eq 7 ]
}

@test "hostile and foreign HDF5 is refused by every tool" {
  [ -n "${LEPTON_SHARED_DATA:-}" ] || skip "LEPTON_SHARED_DATA does not name the data folder: HDF5 torture files not tried"
  while IFS= read -r file; do offer "$file"; done < <(find "$LEPTON_SHARED_DATA/torture/hdf5" -type f | sort)
}
