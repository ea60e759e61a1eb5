# Bad input and bad luck: every exit status, and nothing left behind.
load helper

@test "unknown options and missing operands are usage errors" {
  run lepton-prep --splt 80/20 -o out.h5
  expect 2 "--split"
  run lepton-prep -o out.h5
  expect 2 "lepton-prep: "
  tree photos cat dog
  run lepton-prep photos
  expect 2 "-o"
  run lepton-prep --type sound photos -o out.h5
  expect 2 "expected image, audio, text or table"
}

@test "--help and --version go to standard output" {
  [ "$(lepton-prep --help 2>/dev/null | wc -l)" -ge 10 ]
  lepton-prep --help=all 2>/dev/null | grep -q -- --max-file-bytes
  lepton-prep --version 2>/dev/null | grep -q '^lepton-prep [0-9]'
}

@test "bad images are named, counted and skipped up to --max-errors" {
  tree photos cat dog
  head -c 60 photos/cat/0.png >photos/cat/cut.png
  echo "no image" >photos/dog/text.jpg
  : >photos/dog/empty.png
  run lepton-prep photos -o out.h5 --error-report report.tsv
  expect 3 "cat/cut.png: "
  [ ! -e out.h5 ]
  [ "$(wc -l <report.tsv)" -eq 3 ]
  grep -q "^dog/text.jpg	" report.tsv
  run lepton-prep photos -o out.h5 --max-errors 2
  expect 3 "3 of 23"
  run lepton-prep photos -o out.h5 --max-errors 3 --stats
  expect 0 "$(printf 'cat\t8\t1\t1')"
  run lepton-prep photos -o out.h5 --max-errors 20%
  expect 0 ""
  run lepton-prep photos -o out.h5 --max-errors many
  expect 2 "--max-errors many"
}

@test "an ending does not decide what a file is" {
  tree photos cat dog
  mv photos/cat/0.png photos/cat/0.jpg
  run lepton-prep photos -o out.h5 --max-errors 0
  expect 0 ""
}

@test "nothing usable: an empty folder, an empty list, no image at all, one class" {
  mkdir empty
  run lepton-prep empty -o out.h5
  expect 4 "no images"
  run lepton-prep absent -o out.h5
  expect 4 "absent"
  : >list
  run lepton-prep --files-from list --labels /dev/null -o out.h5
  expect 4 ""
  mkdir -p text/a
  echo x >text/a/b
  run lepton-prep text -o out.h5
  expect 4 "none of 1 inputs is usable"
  tree single cat
  run lepton-prep single -o out.h5
  expect 4 "one class"
  echo "no archive" >file
  run lepton-prep file -o out.h5
  expect 4 "file: is neither"
  [ ! -e out.h5 ]
}

@test "folders that mix splits and others are refused" {
  tree photos/train cat dog
  tree photos/extra cat
  run lepton-prep photos -o out.h5
  expect 2 "'train' could be a split"
}

@test "an output that cannot be written" {
  tree photos cat dog
  run lepton-prep photos -o absent/out.h5
  expect 5 "absent"
  run bash -c 'lepton-prep photos -o - >/dev/full'
  expect 5 ""
}

@test "the dataset goes through a pipe" {
  tree photos cat dog
  lepton-prep photos -o file.h5
  lepton-prep photos -o - | cat >piped.h5
  cmp file.h5 piped.h5
  lepton-prep --check - <piped.h5
}

@test "no input is overwritten" {
  tree photos cat dog
  tar cf photos.tar photos
  cp photos.tar before.tar
  run lepton-prep photos.tar -o photos.tar
  expect 2 "photos.tar"
  cmp photos.tar before.tar
}

@test "a failed run leaves the previous dataset" {
  tree photos cat dog
  lepton-prep photos -o out.h5
  cp out.h5 before.h5
  for i in 0 1 2; do echo x >photos/cat/bad$i.png; done
  run lepton-prep photos -o out.h5
  expect 3 ""
  cmp out.h5 before.h5
  [ "$(find . -name '*.h5*' | wc -l)" -eq 2 ]
}

@test "--check: damage is 6, what is not ours 6 or 7" {
  tree photos cat dog
  lepton-prep photos -o out.h5
  run lepton-prep --check out.h5
  expect 0 ""
  head -c $(($(stat -c %s out.h5) / 2)) out.h5 >cut.h5
  run lepton-prep --check cut.h5
  expect 6 "cut.h5"
  echo "no HDF5" >text.h5
  run lepton-prep --check text.h5
  expect 6 "text.h5"
}

@test "archives: cut short is 6, too many members is 6, a large member is a bad input" {
  tree photos cat dog
  tar cf photos.tar photos
  head -c 9000 photos.tar >cut.tar
  run lepton-prep cut.tar -o out.h5
  expect 6 "cut.tar"
  run lepton-prep photos.tar --max-members 5 -o out.h5
  expect 6 "--max-members"
  head -c 5000 /dev/zero >photos/cat/large.png
  tar cf photos.tar photos
  run lepton-prep photos.tar --max-file-bytes 4000 -o out.h5
  expect 3 "photos/cat/large.png"
}

@test "--max-pixels refuses a bomb before it is decoded" {
  tree photos cat dog
  png photos/cat/large.png 100 100
  run lepton-prep photos --max-pixels 5000 --size 4x4 -o out.h5
  expect 3 "cat/large.png"
}

@test "a held lock is 75 at once" {
  tree photos cat dog
  run flock lock lepton-prep photos -o out.h5 --lock lock
  expect 75 "lock"
  lepton-prep photos -o out.h5 --lock lock
}

@test "ended by a signal it leaves nothing" {
  tree photos cat dog
  tar cf photos.tar photos
  mkfifo slow
  for signal in TERM INT; do
    # Job control, or the shell would have its background job ignore INT.
    set -m
    lepton-prep photos - -o out.h5 <slow 2>messages &
    set +m
    prep=$!
    exec 7>slow
    head -c 2000 photos.tar >&7
    sleep 0.3
    kill -s $signal $prep
    status=0
    wait $prep || status=$?
    exec 7>&-
    [ "$status" -eq $((128 + $(kill -l $signal))) ]
    nothing_left out.h5
  done
}

@test "--depfile lists what was read" {
  tree "my photos" cat dog
  lepton-prep "my photos" -o out.h5 --depfile out.d
  grep -q '^out.h5:' out.d
  grep -q 'my\\ photos/dog/9.png' out.d
}

@test "quiet says nothing; verbose tells how the data was divided" {
  tree photos cat dog
  run lepton-prep -q photos -o out.h5
  [ "$status" -eq 0 ] && [ -z "$output" ]
  run lepton-prep -v photos -o out.h5
  expect 0 "80/10/10"
}

@test "--export writes images that prepare to the same samples" {
  tree photos cat dog
  lepton-prep photos -o out.h5
  lepton-prep --export images --export-limit 1 out.h5:test
  [ "$(find images -name '*.png' | wc -l)" -eq 1 ]
  run lepton-prep --export images out.h5:tset
  expect 2 "tset"
}
