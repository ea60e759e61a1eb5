# Splits, duplicates, sizes, colours, and bytes that do not depend on threads.
load helper

@test "the same bytes at any number of threads, and on every run" {
  tree photos cat dog owl
  lepton-prep -j1 photos -o one.h5
  lepton-prep -j2 photos -o two.h5
  lepton-prep -j7 photos -o seven.h5
  cmp one.h5 two.h5
  cmp one.h5 seven.h5
  lepton-prep --seed 1 photos -o other.h5
  ! cmp -s one.h5 other.h5
}

@test "neither the path nor the time is in the file" {
  tree here/photos cat dog
  lepton-prep here/photos -o one.h5
  mv here there
  sleep 1.1
  touch -d 2001-01-01 there/photos/cat/*
  lepton-prep there/photos -o two.h5
  cmp one.h5 two.h5
}

@test "--split" {
  tree photos cat dog
  run lepton-prep photos --split 50/20/30 -o out.h5 --stats
  expect 0 "$(printf 'dog\t5\t2\t3')"
  run lepton-prep photos --split 50/50 -o out.h5 --stats
  expect 0 "$(printf 'dog\t5\t0\t5')"
  run lepton-prep photos --split 80/30 -o out.h5
  expect 2 "--split 80/30"
}

@test "--split-key keeps one person's files together" {
  for person in ann bob cyd dan eve; do
    for i in 0 1 2 3; do png "photos/cat/${person}_$i.png"; png "photos/dog/${person}_$i.png"; done
  done
  lepton-prep photos --split 60/20/20 --split-key '/([a-z]+)_' -o out.h5
  lepton-prep --list out.h5 >samples
  for person in ann bob cyd dan eve; do
    [ "$(grep "/${person}_" samples | cut -f3 | sort -u | wc -l)" -eq 1 ]
  done
  [ "$(cut -f3 samples | sort -u | wc -l)" -ge 2 ]
  run lepton-prep photos --split-key 'z[0-9]' -o out.h5
  expect 2 "matches nothing"
  run lepton-prep photos --split-key '(' -o out.h5
  expect 2 "--split-key"
}

@test "copies are found, those across splits are named, and divided copies stay together" {
  tree photos/train cat dog
  tree photos/test cat dog
  cp photos/train/cat/3.png photos/test/cat/copy.png
  run lepton-prep photos -o out.h5
  expect 0 "train/cat/3.png (train)"
  expect 0 "test/cat/copy.png (test)"
  rm -r photos
  tree photos cat dog
  for i in 0 1 2 3 4 5 6 7 8 9; do cp photos/cat/$i.png photos/cat/copy$i.png; cp photos/dog/$i.png photos/cat/odd$i.png; done
  run lepton-prep photos -o out.h5
  expect 0 "20 files are exact copies"
  expect 0 "another class"
  [[ $output != *"another split"* ]]
}

@test "several sizes are a usage error that suggests one; --size makes them one" {
  tree photos cat dog
  png photos/cat/odd.png 9 5
  run lepton-prep photos -o out.h5
  expect 2 "--size 4x4"
  for mode in fit crop stretch; do
    run lepton-prep photos --size 8x6 --resize $mode -o out.h5
    expect 0 "8x6"
  done
  run lepton-prep photos --size 8 -o out.h5
  expect 2 "--size 8"
  run lepton-prep photos --size 8x8 --resize sketch -o out.h5
  expect 2 "did you mean 'stretch'"
}

@test "gray and colour become RGB, or gray when asked" {
  tree photos cat dog
  png photos/cat/gray.png 4 4 gray
  run lepton-prep photos -o out.h5
  expect 0 "4x4 RGB"
  run lepton-prep photos --gray -o out.h5
  expect 0 "4x4 gray"
}
