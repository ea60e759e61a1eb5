# Shared by tests of the tools: a tiny data set that can be learnt, a model of it, and short ways to expect things.

# make_idx DIR STEM COUNT SEED: COUNT gray images of 8x8 in three classes, told apart by which third is bright; as IDX.
make_idx() {
  mkdir -p "$1"
  perl -e '
    my ($dir, $stem, $count, $state) = @ARGV;
    my ($images, $labels) = ("", "");
    for my $i (0 .. $count - 1) {
      my $class = $i % 3;
      $labels .= chr($class);
      for my $y (0 .. 7) { for my $x (0 .. 7) {
        $state = ($state * 1664525 + 1013904223) % 4294967296;
        $images .= chr((int($x * 3 / 8) == $class ? 150 : 20) + ($state >> 24) % 80);
      } }
    }
    open my $f, ">:raw", "$dir/$stem-images-idx3-ubyte" or die $!;
    print $f pack("NNNN", 0x803, $count, 8, 8), $images;
    open my $g, ">:raw", "$dir/$stem-labels-idx1-ubyte" or die $!;
    print $g pack("NN", 0x801, $count), $labels;
    close $f or die $!;
    close $g or die $!;' "$1" "$2" "$3" "$4"
}

# Once a run: $shared/data.h5 (240 train, 60 test; classes left, middle, right), model.h5, and images/ (PNG, test set).
make_shared() {
  shared=$BATS_RUN_TMPDIR/shared
  [ -e "$shared/done" ] && return 0
  mkdir -p "$shared"
  make_idx "$shared/idx" train 240 1
  make_idx "$shared/idx" test 60 2
  lepton-prep "$shared/idx" --class-names left,middle,right -q -o "$shared/data.h5"
  lepton-train "$shared/data.h5" --net 'conv 8 3x3 bn relu; maxpool 2; dense 16 relu; dense classes' --epochs 8 \
    --batch 16 --augment none -j1 -q -o "$shared/model.h5"
  lepton-prep -q --export "$shared/images" "$shared/data.h5:test"
  touch "$shared/done"
}

# expect STATUS TEXT: of the last run; TEXT must stand somewhere in its output.
expect() {
  [ "$status" -eq "$1" ] || { echo "status $status, expected $1: $output"; return 1; }
  [[ $output == *"$2"* ]] || { echo "no '$2' in: $output"; return 1; }
}

# Once a run, beside $shared: $two with data.h5 (240 train, 150 val, 150 test) and model.h5 of two classes that overlap,
# normal and ill (one in three): gray images of 8x8 whose brightness tells them apart by and large.
make_two() {
  two=$BATS_RUN_TMPDIR/two
  [ -e "$two/done" ] && return 0
  mkdir -p "$two"/{train,val,test}
  perl -e '
    my ($dir, $state) = ($ARGV[0], 1);
    sub random { $state = ($state * 1664525 + 1013904223) % 4294967296; return $state >> 24 }  # 0 to 255
    for (["train", 240], ["val", 150], ["test", 150]) {
      my ($split, $count) = @$_;
      my ($images, $labels) = ("", "");
      for my $i (0 .. $count - 1) {
        my $class = $i % 3 == 0 ? 1 : 0;
        $labels .= chr($class);
        my $level = 60 + 40 * $class + random() / 4;
        $images .= chr(int($level + random() / 8)) for 1 .. 64;
      }
      open my $f, ">:raw", "$dir/$split/t-images-idx3-ubyte" or die $!;
      print $f pack("NNNN", 0x803, $count, 8, 8), $images;
      open my $g, ">:raw", "$dir/$split/t-labels-idx1-ubyte" or die $!;
      print $g pack("NN", 0x801, $count), $labels;
      close $f or die $!;
      close $g or die $!;
    }' "$two"
  lepton-prep -q --train "$two/train" --val "$two/val" --test "$two/test" --class-names normal,ill -o "$two/data.h5"
  lepton-train "$two/data.h5" --net 'dense 8 relu; dense classes' --epochs 5 --batch 16 --augment none -j1 -q \
    -o "$two/model.h5"
  touch "$two/done"
}
