# What lepton-prep reads, and where labels come from.
load helper

@test "class folders: labels by folder, divided 80/10/10 within each class" {
  tree photos cat dog
  run lepton-prep photos -o out.h5 --stats
  expect 0 "$(printf 'cat\t8\t1\t1')"
  expect 0 "$(printf 'dog\t8\t1\t1')"
  run lepton-prep --check out.h5
  expect 0 ""
}

@test "train, val and test folders are taken as they are" {
  tree photos/train cat dog
  png photos/valid/cat/a.png
  png photos/test/dog/b.png
  run lepton-prep photos -o out.h5 --stats
  expect 0 "$(printf 'cat\t10\t1\t0')"
  expect 0 "$(printf 'dog\t10\t0\t1')"
}

@test "a class is the whole folder name, never a part of a path" {
  for class in classification cat test-bench; do png "cat_train/$class/dog_test_1.png"; png "cat_train/$class/val.png"; done
  run lepton-prep --split 50/50 --train cat_train -o out.h5 --stats
  expect 0 "$(printf 'classification\t2')"
  expect 0 "$(printf 'test-bench\t2')"
}

@test "archives give the same bytes as the folder, compressed, wrapped or piped" {
  tree photos cat dog
  echo notes >photos/README
  lepton-prep photos -o folder.h5
  tar cf plain.tar --sort=name -C photos .
  tar czf wrapped.tgz --sort=name photos
  lepton-prep plain.tar -o plain.h5
  cmp folder.h5 plain.h5
  lepton-prep - <plain.tar -o seekable.h5
  cmp folder.h5 seekable.h5
  gzip -c plain.tar | lepton-prep - -o piped.h5
  cmp folder.h5 piped.h5
  run lepton-prep wrapped.tgz -o wrapped.h5 --stats
  expect 0 "$(printf 'cat\t8\t1\t1')"
}

@test "a list of files with a TSV of labels" {
  tree photos a b
  find photos -name '*.png' | sort -r >list
  awk '{ n = split($0, p, "/"); print $0 "\t" (p[n] < "5" ? "low" : "high") }' list >labels.tsv
  lepton-prep --files-from list --labels labels.tsv -o one.h5
  find photos -name '*.png' -print0 | lepton-prep --files0-from - --labels labels.tsv -o two.h5
  cmp one.h5 two.h5
  run lepton-prep --stats one.h5
  expect 0 "$(printf 'high\t8\t1\t1')"
}

@test "a list without labels is a usage error" {
  png a.png
  run lepton-prep a.png -o out.h5
  expect 2 "--labels"
}

@test "an input that the labels do not name is a bad input" {
  tree photos a b
  for i in 0 1 2 3 4 5 6 7 8; do printf 'a/%d.png\tx\nb/%d.png\ty\n' $i $i; done >labels.tsv
  run lepton-prep photos --labels labels.tsv -o out.h5
  expect 3 "has no label"
  [ ! -e out.h5 ]
  run lepton-prep photos --labels labels.tsv -o out.h5 --max-errors 2 --stats
  expect 0 "$(printf 'x\t7\t1\t1')"
}

@test "IDX: a folder of pairs brings its splits, plain or compressed" {
  mkdir idx
  perl "$make" idx 20 5 4 2 idx train
  perl "$make" idx 6 5 4 2 idx t10k
  run lepton-prep idx -o plain.h5 --stats
  expect 0 "$(printf '1\t10\t0\t3')"
  gzip idx/*
  lepton-prep idx/train-images-idx3-ubyte.gz idx/t10k-images-idx3-ubyte.gz -o gz.h5
  cmp plain.h5 gz.h5
  run lepton-prep idx --class-names zebra,ape -o named.h5 --stats
  expect 0 "$(printf 'zebra\t10\t0\t3')"
}

@test "IDX: images without labels, and files cut short" {
  perl "$make" idx 20 5 4 2 . train
  head -c 100 train-images-idx3-ubyte >x-images
  cp train-labels-idx1-ubyte x-labels
  run lepton-prep x-images x-labels -o out.h5
  expect 6 "x-images: ends after"
  rm train-labels-idx1-ubyte
  run lepton-prep train-images-idx3-ubyte -o out.h5
  expect 4 "no labels found"
}

@test "CIFAR-10 batches" {
  mkdir cifar
  for i in 1 2; do perl "$make" cifar 20 $i >cifar/data_batch_$i.bin; done
  perl "$make" cifar 10 3 >cifar/test_batch.bin
  run lepton-prep cifar -o numbers.h5 --stats
  expect 0 "$(printf '9\t4\t0\t1')"
  printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck >cifar/batches.meta.txt
  run lepton-prep cifar -o names.h5 --stats
  expect 0 "$(printf 'truck\t4\t0\t1')"
}

@test "several inputs, each with its splits" {
  tree one/train cat dog
  tree two/test cat owl
  tar czf two.tar.gz two
  run lepton-prep one two.tar.gz -o out.h5 --stats
  expect 0 "$(printf 'cat\t10\t0\t10')"
  expect 0 "$(printf 'dog\t10\t0\t0')"
  expect 0 "$(printf 'owl\t0\t0\t10')"
}

@test "--train, --val and --test say what an input is" {
  tree a cat dog
  tree b cat dog
  tree c cat dog
  run lepton-prep --train a --val b --test c -o out.h5 --stats
  expect 0 "$(printf 'dog\t10\t10\t10')"
}

@test "classes on the command line fix the order" {
  tree photos cat dog
  run lepton-prep photos --class-names dog,cat -o out.h5 --stats
  [ "$status" -eq 0 ]
  [ "$(lepton-prep --stats out.h5 | sed -n 2p | cut -f1)" = dog ]
  run lepton-prep photos --class-names dog,cow -o out.h5
  expect 2 "lacks the class 'cat'"
}

@test "hidden names and files beside the class folders are no samples" {
  tree photos cat dog
  echo text >photos/README.md
  echo text >photos/cat/.DS_Store
  echo text >photos/Thumbs.db
  run lepton-prep photos -o out.h5 --stats --max-errors 0
  expect 0 "$(printf 'cat\t8\t1\t1')"
  expect 0 "1 files that are no images lie outside class folders"
  mkdir photos/heic
  echo text >photos/heic/a.heic
  run lepton-prep photos -o out.h5
  expect 3 "heic/a.heic"
}

@test "names with spaces, tabs and newlines" {
  tree photos "a b" $'c\td'
  png $'photos/a b/x\ny.png'
  run lepton-prep photos -o out.h5 --stats
  expect 0 'c\td'
  lepton-prep --check out.h5
}
