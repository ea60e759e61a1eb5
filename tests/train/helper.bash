# Shared by the tests of lepton-train: a small dataset that can be learnt, in the test's own folder.
load ../common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  export LEPTON_THREADS=1
}

teardown() {
  [ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true
}

# make_quarters DIR N [CLASSES]: N gray 8x8 images as IDX, noise with the quarter bright that names the class.
make_quarters() {
  mkdir -p "$1"
  perl -e '
    my ($dir, $n, $classes) = @ARGV;
    my $state = 1;
    my ($images, $labels) = ("", "");
    for my $i (0 .. $n - 1) {
      my $label = $i % $classes;
      $labels .= chr $label;
      for my $k (0 .. 63) {
        $state = ($state * 1664525 + 1013904223) % 4294967296;
        my $bright = ($k >= 32) == ($label >= 2) && ($k % 8 >= 4) == ($label % 2 == 1);
        $images .= chr(($state >> 26) + ($bright ? 120 : 0));
      }
    }
    open my $x, ">:raw", "$dir/train-images-idx3-ubyte" or die $!;
    print $x pack("NNNN", 0x803, $n, 8, 8), $images;
    open my $y, ">:raw", "$dir/train-labels-idx1-ubyte" or die $!;
    print $y pack("NN", 0x801, $n), $labels;
  ' "$1" "$2" "${3:-4}"
}

# dataset FILE [N [CLASSES]]
dataset() {
  make_quarters "idx-$1" "${2:-240}" "${3:-4}"
  lepton-prep "idx-$1" -q -o "$1"
}

# wait_for CONDITION...: up to 20 seconds for a command to succeed.
wait_for() {
  local tries=400
  until "$@" 2>/dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "waited in vain for: $*"; return 1; }
    sleep 0.05
  done
}

lines_in() { [ "$(wc -l <"$1")" -ge "$2" ]; }

# Nothing may be left beside the output, hidden or not, but what is named.
left() { [ "$(find . -maxdepth 1 -name '.*lepton*' | wc -l)" -eq 0 ]; }
