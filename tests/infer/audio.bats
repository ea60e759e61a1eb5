# A model of recordings: files, lists, datasets and paths in a pipe; other rates and lengths; bad files.
load ../common

make=$BATS_TEST_DIRNAME/../prep/make.pl

# Once a run: tones in words/{low,high}, sounds.h5 (train and test) and model.h5 of them.
setup() {
  sounds=$BATS_RUN_TMPDIR/sounds
  if [ ! -e "$sounds/done" ]; then
    mkdir -p "$sounds"/words/{low,high}
    for i in $(seq 30); do
      perl "$make" wav 8000 0.2 $((280 + 5 * i)) "$i" >"$sounds/words/low/$i.wav"
      perl "$make" wav 8000 0.2 $((1800 + 25 * i)) "$((i + 50))" >"$sounds/words/high/$i.wav"
    done
    lepton-prep -q "$sounds/words" --bands 16 -o "$sounds/sounds.h5"
    lepton-train -q "$sounds/sounds.h5" --net 'conv 8 3 bn relu; globalpool avg; dense classes' --epochs 12 --batch 8 \
      --augment none -j1 -o "$sounds/model.h5"
    touch "$sounds/done"
  fi
  cd "$sounds" || return 1
}

@test "a model of recordings answers files, lists and datasets, and is measured" {
  [ "$(lepton-infer model.h5 words/low/3.wav words/high/4.wav | cut -f1,2)" = "$(printf 'words/low/3.wav\tlow\nwords/high/4.wav\thigh')" ]
  [ "$(find words/high -name '*.wav' | lepton-infer model.h5 --files-from - | cut -f2 | sort -u)" = high ]
  [ "$(lepton-infer model.h5 - <words/low/1.wav | cut -f1,2)" = "$(printf -- '-\tlow')" ]
  lepton-eval model.h5 sounds.h5:test --fail-under accuracy=0.99
  [ "$(lepton-infer model.h5 sounds.h5:train,val,test | wc -l)" -eq 60 ]
  run lepton-eval --tta model.h5 sounds.h5
  expect 2 "--tta is for images"
  lepton-infer model.h5 words/low/1.wav --bench 0.05 | grep -q 'samples/s'
}

@test "a file answers as it does from its dataset" {
  lepton-infer model.h5 sounds.h5:test --probs | sort >from_dataset
  cut -f1 from_dataset | sed 's|^|words/|' | lepton-infer model.h5 --files-from - --probs | sed 's|^words/||' | sort >from_files
  diff from_dataset from_files
}

@test "other rates and lengths follow the recipe; a changed rate is said once" {
  mkdir -p "$BATS_TEST_TMPDIR"
  for i in 1 2; do perl "$make" wav 22050 1.5 $((300 + i)) "$i" >"$BATS_TEST_TMPDIR/$i.wav"; done
  run lepton-infer model.h5 "$BATS_TEST_TMPDIR"/{1,2}.wav words/low/1.wav
  expect 0 "2 of 3 recordings were of another rate"
  [ "$(grep -c '	low	' <<<"$output")" -eq 3 ]
}

@test "a bad recording has an error record in its place" {
  head -c 500 words/low/1.wav >"$BATS_TEST_TMPDIR/cut.wav"
  run lepton-infer model.h5 words/low/1.wav "$BATS_TEST_TMPDIR/cut.wav" /dev/null words/high/1.wav
  expect 3 "is truncated: ends after 228 of 1,600 frames"
  [[ ${lines[2]} == *"is empty" ]]
  [[ ${lines[3]} == *high* ]]
}

@test "a dataset prepared in another way does not fit" {
  lepton-prep -q words --bands 16 --trim --duration 0.2 -o "$BATS_TEST_TMPDIR/trimmed.h5"
  run lepton-eval model.h5 "$BATS_TEST_TMPDIR/trimmed.h5"
  expect 7 "prepared in another way"
}
