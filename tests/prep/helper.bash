# Shared by the tests of lepton-prep: small inputs in the test's own folder.
load ../common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  make=$BATS_TEST_DIRNAME/make.pl
  seed=0
}

# png PATH [WIDTH HEIGHT KIND SEED]: an image no other call makes, unless SEED says so.
png() {
  mkdir -p "$(dirname "$1")"
  seed=$((seed + 1))
  perl "$make" png "${2:-4}" "${3:-4}" "${4:-rgb}" "${5:-$seed}" >"$1"
}

# tree ROOT CLASS...: ten images in each class folder.
tree() {
  local root=$1 class i
  shift
  for class in "$@"; do
    for i in 0 1 2 3 4 5 6 7 8 9; do png "$root/$class/$i.png"; done
  done
}

# wav PATH [RATE SECONDS HERTZ SEED]: a recording of a tone that no other call makes, unless SEED says so.
wav() {
  mkdir -p "$(dirname "$1")"
  seed=$((seed + 1))
  perl "$make" wav "${2:-8000}" "${3:-0.2}" "${4:-440}" "${5:-$seed}" >"$1"
}

# words ROOT CLASS...: ten recordings in each class folder.
words() {
  local root=$1 class i
  shift
  for class in "$@"; do
    for i in 0 1 2 3 4 5 6 7 8 9; do wav "$root/$class/$i.wav"; done
  done
}

# Nothing that begins with the name of the output may be left, hidden or not.
nothing_left() { [ -z "$(find . -name "*$1*")" ]; }
