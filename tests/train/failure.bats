# What lepton-train does when something is wrong or stops it.
load helper

net='conv 8 3x3 bn relu; maxpool 2; dense classes'

@test "2: usage, with the nearest name" {
  dataset d.h5
  while IFS='|' read -r arguments text; do
    echo "$arguments"
    # shellcheck disable=SC2086
    run lepton-train $arguments
    expect 2 "$text"
  done <<'ROWS'
d.h5 -o m.h5 --epoch 3|did you mean '--epochs'
d.h5 -o m.h5 --net resnt9|did you mean 'resnet9'
d.h5 -o m.h5 --net convv;dense|conv
d.h5 -o m.h5 --epochs 0|--epochs 0
d.h5 -o m.h5 --optimizer adam|adamw
d.h5 -o m.h5 --augment shif=2|did you mean shift
d.h5 -o m.h5 --schedule cos|cosine
d.h5 -o m.h5 --precision fp8|fp16
d.h5 -o m.h5 --class-weight x=2|no class of that name
d.h5 -o m.h5 --target loss=1|accuracy=0.94
d.h5 -o m.h5 --val none --patience 3|need validation
d.h5 -o m.h5 --val 2|--val 2
d.h5 -o m.h5 --config absent.conf|absent.conf
d.h5 -o d.h5|would be overwritten
d.h5 -o m.h5 --checkpoint d.h5|would be overwritten
d.h5 -o m.h5 --log d.h5|would be overwritten
d.h5|-o MODEL.h5
-o m.h5|no dataset
d.h5 extra -o m.h5|extra
ROWS
  [ ! -e m.h5 ]
}

@test "4: no dataset there" {
  run lepton-train absent.h5 -o m.h5
  expect 4 "absent.h5"
}

@test "5: an output that cannot be written is known before the work" {
  dataset d.h5
  run lepton-train d.h5 -q --epochs 1000000 -o absent/m.h5
  expect 5 "absent"
  run lepton-train d.h5 -q --epochs 1000000 --log absent/log -o m.h5
  expect 5 "absent/log"
  run lepton-train d.h5 -q --epochs 1000000 --checkpoint absent/c -o m.h5
  expect 5 "absent"
}

@test "5: a full disk" {
  dataset d.h5
  run bash -c "lepton-train d.h5 -q --net '$net' --epochs 1 -o - >/dev/full"
  expect 5 "No space left"
  run lepton-train d.h5 -q --net "$net" --epochs 1 -o m.h5 --log /dev/full
  expect 5 "No space left"
}

@test "6 and 7: files that are no dataset" {
  dataset d.h5
  lepton-train d.h5 -q --net "$net" --epochs 1 -o m.h5
  head -c 3000 d.h5 >short.h5
  echo text >text.h5
  run lepton-train short.h5 -o n.h5
  expect 6 "short.h5"
  run lepton-train text.h5 -o n.h5
  expect 6 "text.h5"
  run lepton-train m.h5 -o n.h5
  expect 7 "m.h5"
  run lepton-train d.h5 --init d.h5 -o n.h5
  expect 7 "d.h5"
  [ ! -e n.h5 ]
}

@test "8: a device that is not there" {
  dataset d.h5
  run lepton-train d.h5 --device abacus -o m.h5
  expect 8 "abacus"
  run lepton-train d.h5 --device cpu --precision fp16 -o m.h5
  expect 8 "use --precision fp32 or bf16"
  run lepton-train d.h5 --device cuda:99 -o m.h5
  expect 8 "cuda"
  [ ! -e m.h5 ]
}

@test "bf16 where the processor has it; elsewhere a warning, and fp32" {
  dataset d.h5
  local net="conv 16 3x3 relu; conv 16 3x3; dense classes"
  run lepton-train d.h5 -v --device cpu --precision bf16 --net "$net" --epochs 1 -o m.h5
  expect 0 "epoch 1"
  lepton-train d.h5 --device cpu --precision bf16 --net "$net" --epochs 1 -o again.h5
  cmp m.h5 again.h5
  if grep -q avx512_bf16 /proc/cpuinfo; then [[ $output == *", bf16, "* && $output != *"fp32"* ]]; fi
  ONEDNN_MAX_CPU_ISA=AVX2 run lepton-train d.h5 --device cpu --precision bf16 --net "$net" --epochs 1 -o n.h5
  expect 0 "warning: this processor has no instructions for bf16; it computes in fp32"
  loss="${output##*epoch}"
  ONEDNN_MAX_CPU_ISA=AVX2 run lepton-train d.h5 --device cpu --net "$net" --epochs 1 -o o.h5
  expect 0 "epoch${loss%%;*}"
  [[ $output != *bf16* ]]
}

@test "auto is the CPU where no GPU is, and says so with -v only" {
  dataset d.h5
  lepton-train --list-devices | grep -q ^cuda: && skip "there is a GPU"
  run lepton-train d.h5 --net "$net" --epochs 1 -o m.h5
  expect 0 "epoch 1"
  [[ $output != *cuda* ]]
  run lepton-train d.h5 -v --net "$net" --epochs 1 -o m.h5
  expect 0 "auto is the CPU: cuda"
}

@test "75: another run holds the lock" {
  dataset d.h5
  run flock run.lock lepton-train d.h5 -q --net "$net" --epochs 1 --lock run.lock -o m.h5
  expect 75 "run.lock"
  lepton-train d.h5 -q --net "$net" --epochs 1 --lock run.lock -o m.h5
}

@test "1: a loss that is not finite names its step and leaves the old model" {
  dataset d.h5
  echo old >m.h5
  run lepton-train d.h5 --net 'dense 16; dense 16; dense 16; dense classes' --optimizer sgd --lr 1e6 --warmup 0 -o m.h5
  expect 1 "epoch 1, step "
  expect 1 "--lr"
  [ "$(cat m.h5)" = old ]
  left
}

@test "1: a run that learned nothing says what to try and leaves the old model" {
  dataset d.h5
  echo old >m.h5
  run lepton-train d.h5 --net 'conv 4 3x3 relu; dense classes' --optimizer adamw --lr 100 --batch 16 --epochs 8 --val none -o m.h5
  expect 1 "nothing was learned"
  expect 1 "--lr (100 now)"
  [ "$(cat m.h5)" = old ]
  [ ! -e m.h5.ckpt ]
  left
  # Too few steps prove nothing.
  lepton-train d.h5 -q --net 'dense classes; scale 0' --epochs 1 -o m.h5
}

@test "141: nobody reads the model" {
  dataset d.h5
  run bash -c "lepton-train d.h5 -q --net '$net' --epochs 1 -o - | true; exit \${PIPESTATUS[0]}"
  [ "$status" -eq 141 ]
  [ -z "$output" ]
}

@test "143 and 130: stopped runs go on and end with the same bytes" {
  dataset d.h5
  options=(d.h5 -q --net "$net" --epochs 200 --batch 2 --ema 0.99 --augment shift=1)
  lepton-train "${options[@]}" --log whole.jsonl -o whole.h5
  echo old >m.h5
  for signal in TERM:143 INT:130; do
    lepton-train "${options[@]}" --resume --log log.jsonl -o m.h5 &
    pid=$!
    before=$([ -e log.jsonl ] && wc -l <log.jsonl || echo 0)
    wait_for lines_in log.jsonl $((before + 3))
    kill -"${signal%:*}" $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq "${signal#*:}" ] || { echo "status $status after $signal"; false; }
    [ -s m.h5.ckpt ]
    [ "$(cat m.h5)" = old ]
  done
  run lepton-train "${options[@]}" --lr 0.3 --resume -o m.h5
  expect 7 "other options"
  lepton-train "${options[@]}" --resume --log log.jsonl -o m.h5
  cmp m.h5 whole.h5
  [ ! -e m.h5.ckpt ]
  strip() { sed -E 's/"(seconds|images_per_second)":[^,]*,//g' "$1"; }
  diff <(strip whole.jsonl) <(strip log.jsonl)
  left
}

@test "USR1 writes a checkpoint and the run goes on" {
  dataset d.h5
  lepton-train d.h5 -q --net "$net" --epochs 1000000 --checkpoint-every 100000 --log log.jsonl -o m.h5 &
  pid=$!
  wait_for lines_in log.jsonl 1
  [ ! -e m.h5.ckpt ]
  kill -USR1 $pid
  wait_for test -s m.h5.ckpt
  epochs=$(wc -l <log.jsonl)
  wait_for lines_in log.jsonl $((epochs + 2))
  kill $pid
  wait $pid || true
}

@test "a killed run leaves the old model whole, and its checkpoint serves the next" {
  dataset d.h5
  options=(d.h5 -q --net "$net" --epochs 200 --batch 2 --checkpoint-every 0)
  lepton-train "${options[@]}" -o whole.h5
  echo old >m.h5
  lepton-train "${options[@]}" --log log.jsonl -o m.h5 &
  pid=$!
  wait_for lines_in log.jsonl 4
  kill -9 $pid
  wait $pid || true
  [ "$(cat m.h5)" = old ]
  lepton-train "${options[@]}" --resume -o m.h5
  cmp m.h5 whole.h5
  left
}
