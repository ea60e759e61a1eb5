# Recordings: features and lengths, labels from names, rates, bad files; then trained on, answered and measured.
load helper

# recipe FILE.h5: its preprocessing.
recipe() { h5dump -d /meta/recipe "$1" | grep -o '"{.*}"' | tr -d '\\'; }
shape() { h5dump -H -d "/train/x" "$1" | grep -o 'SIMPLE { ([^)]*)' | head -1; }

@test "class folders of recordings become log-mel frames, several lengths are normal" {
  words words yes no maybe
  wav words/yes/long.wav 8000 0.9
  run lepton-prep words -v -o out.h5 --stats
  expect 0 "31 recordings of 0.2 s at 8000 Hz, 18x40 log-mel, 3 classes"
  [[ $output == *"of 31 recordings 1 are cropped, 0 padded"* ]]
  [[ $output == *"$(printf 'yes\t9\t1\t1')"* ]]
  [[ $(shape out.h5) == "SIMPLE { ( 25, 18, 40 )" ]]
  h5dump -a /task out.h5 | grep -q '"audio-classification"'
  [ "$(h5dump -H -d /meta/mean out.h5 | grep -c '( 40 )')" -eq 1 ]
  lepton-prep --check out.h5
  [ "$(lepton-prep --list out.h5 | wc -l)" -eq 31 ]
  run lepton-prep --export folder out.h5
  expect 7 "holds no images but data for audio-classification"
}

@test "the same bytes with any number of threads" {
  words words yes no
  lepton-prep words --trim -j1 -o one.h5
  lepton-prep words --trim -j3 -o three.h5
  cmp one.h5 three.h5
}

@test "an archive, a list and loose files of recordings" {
  words words yes no
  tar czf words.tar.gz words
  lepton-prep words.tar.gz -o archive.h5 --max-errors 0
  find words -name '*.wav' | sort | tee names | awk -F/ '{ print $0 "\t" $2 }' >labels.tsv
  lepton-prep --files-from names --labels labels.tsv -o list.h5 --max-errors 0
  lepton-prep words/*/*.wav --labels labels.tsv -o loose.h5 --max-errors 0
  for kind in archive list loose; do [ "$(lepton-prep --list $kind.h5 | wc -l)" -eq 20 ]; done
}

@test "--label-regex takes labels from file names, of images too; --split-key holds speakers together" {
  for speaker in ann bob cid dan eve; do
    for digit in 0 1 2; do wav "digits/${digit}_${speaker}_1.wav"; done
  done
  run lepton-prep digits --label-regex '^([0-9])_' --split-key '_([a-z]+)_' --split 60/20/20 -o out.h5 --stats
  expect 0 "$(printf '2\t3\t1\t1')"
  [ "$(lepton-prep --list out.h5 | sed -E 's/.*_([a-z]+)_.*\t/\1 /' | sort -u | wc -l)" -eq 5 ]
  wav digits/other.wav
  run lepton-prep digits --label-regex '^([0-9])_' --max-errors 0 -o out.h5
  expect 3 "other.wav: its name does not match --label-regex"
  run lepton-prep digits --label-regex '([0-9' -o out.h5
  expect 2 "--label-regex"
  run lepton-prep digits --label-regex '^(.)' --labels /dev/null -o out.h5
  expect 2 "one of them"
  for i in 1 2 3; do png "pictures/train/a$i.png" && png "pictures/train/b$i.png" && png "pictures/test/a1$i.png"; done
  lepton-prep pictures --label-regex '^[ab]' -o pictures.h5
  [ "$(lepton-prep --list pictures.h5:test | cut -f2 | sort -u)" = a ]
}

@test "options of features, lengths and rates" {
  words words yes no
  lepton-prep words --duration 0.5 --features mfcc --bands 30 --coefficients 12 --window 32 --hop 16 -o mfcc.h5
  [[ $(shape mfcc.h5) == "SIMPLE { ( 16, 30, 12 )" ]]
  [[ $(recipe mfcc.h5) == *'{"step":"mfcc","window":256,"hop":128,"bands":30,"coefficients":12,"range_db":50}'* ]]
  [[ $(recipe mfcc.h5) == *'{"step":"level","peak":1},{"step":"length"'* ]]
  lepton-prep words --no-level --range 0 -o plain.h5
  [[ $(recipe plain.h5) == *'"sinc-medium"},{"step":"length"'*'"bands":40}]'* ]]
  lepton-prep words --features wave --rate 4000 --duration 0.1 --crop energy --level -o wave.h5
  [[ $(shape wave.h5) == "SIMPLE { ( 16, 400, 1 )" ]]
  [[ $(recipe wave.h5) == *'{"step":"level","peak":1},{"step":"length","samples":400,"crop":"energy"},{"step":"wave"}'* ]]
  for wrong in '--rate 5' '--crop middle' '--features mel' '--bands 1000' '--duration -1' '--coefficients 5' \
    '--features wave --bands 10' '--features wave --range 50' '--range 201' '--range -1' '--size 4x4' '--bands 300' '--duration 0.01'; do
    # shellcheck disable=SC2086
    run lepton-prep words $wrong -o wrong.h5
    expect 2 "lepton-prep: "
    [ ! -e wrong.h5 ]
  done
  tree photos cat dog
  run lepton-prep photos --rate 8000 -o wrong.h5
  expect 2 "--rate is for recordings: the inputs are images"
}

@test "a changed rate is said once" {
  words words yes no
  for i in 1 2 3; do wav "words/yes/fast$i.wav" 16000; done
  run lepton-prep words -o out.h5
  expect 0 "3 of 23 recordings are brought from 16000 Hz to 8000 Hz"
  [ "$(grep -c brought <<<"$output")" -eq 1 ]
}

@test "bad recordings are named, counted and bounded" {
  words words yes no
  head -c 1000 words/yes/0.wav >words/yes/cut.wav
  head -c 44 words/yes/0.wav >words/yes/headless.wav
  perl -e 'print "RIFF", pack("V", 36), "WAVEfmt ", pack("VvvVVvv", 16, 1, 1, 0, 0, 2, 16), "data", pack("V", 4), "abcd"' \
    >words/no/still.wav
  perl -e 'print "RIFF", pack("V", 48), "WAVEfmt ", pack("VvvVVvv", 16, 3, 1, 8000, 32000, 4, 32), "data",
    pack("V", 12), pack("f<f<", 0, 0), "\0\0\xC0\x7F"' >words/no/nan.wav
  : >words/no/empty.wav
  wav words/no/long.wav 8000 3
  run lepton-prep words --max-seconds 2 -o out.h5 --max-errors 6
  expect 0 "yes/cut.wav: is truncated: ends after 478 of 1,600 frames"
  for text in 'yes/headless.wav: is truncated: ends after 0 of 1,600' 'no/still.wav: its rate is 0' \
    'no/nan.wav: sample 2 is nan' 'no/empty.wav: is empty' 'no/long.wav: is 3.0 s long, more than the limit of 2 s'; do
    [[ $output == *"$text"* ]] || { echo "no '$text' in: $output"; return 1; }
  done
  run lepton-prep words -o out2.h5
  expect 3 "5 of 26 inputs are bad"
  [ ! -e out2.h5 ]
}

@test "a damaged MP3 is named once, in our words alone" {
  mkdir -p words/a words/b
  for class in a b; do
    cp "$BATS_TEST_DIRNAME/../../testdata/audio/layer3.mp3" words/$class/whole.mp3
    head -c -600 words/$class/whole.mp3 >words/$class/cut.mp3
    { cat words/$class/cut.mp3; printf 'RIFFxxxx'; head -c 400 /dev/zero; } >words/$class/junk.mp3
  done
  run lepton-prep words -o out.h5 --max-errors 99% --split 100/0/0
  [[ $output == *"a/junk.mp3: is truncated"* ]]
  ! grep -v '^lepton-prep: ' <<<"$output"
}
