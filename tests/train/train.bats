# What lepton-train promises of a run that goes well.
load helper

net='conv 8 3x3 bn relu; maxpool 2; dense classes'

@test "learns without any flag, in silence on stdout, and writes the model" {
  dataset d.h5
  lepton-train d.h5 -o m.h5 >out 2>err
  [ ! -s out ]
  tail -n 1 err | grep -E '^lepton-train: epoch .*accuracy (0\.9|1\.0)'
  [ -s m.h5 ]
  [ ! -e m.h5.ckpt ]
  left
}

@test "the same seed gives the same bytes, another seed others" {
  dataset d.h5
  for seed in 0 0 1; do lepton-train d.h5 -q --net "$net" --epochs 2 --seed $seed -o "m$((n += 1)).h5"; done
  cmp m1.h5 m2.h5
  run cmp m1.h5 m3.h5
  [ "$status" -eq 1 ]
}

@test "the same bytes through pipes" {
  dataset d.h5
  lepton-train d.h5 -q --net "$net" --epochs 2 -o m.h5
  lepton-train - -q --net "$net" --epochs 2 -o - <d.h5 >piped.h5
  cmp m.h5 piped.h5
  lepton-prep idx-d.h5 -q -o - | lepton-train - -q --net "$net" --epochs 2 -o - | cat >piped.h5
  cmp m.h5 piped.h5
}

@test "every preset, every optimizer, every schedule" {
  dataset d.h5
  for preset in textbook mlp cnn6; do lepton-train d.h5 -q --net $preset --epochs 1 -o m.h5; done
  for optimizer in sgd adamw muon; do
    run lepton-train d.h5 --net "$net" --epochs 6 --optimizer $optimizer -o m.h5
    expect 0 "epoch 6/6"
    [[ ${lines[-1]} =~ accuracy\ (0\.[89]|1\.0)[0-9]*.*val ]] || { echo "$optimizer: $output"; false; }
  done
  for schedule in constant step cosine one-cycle linear; do
    lepton-train d.h5 -q --net "$net" --epochs 1 --schedule $schedule -o m.h5
  done
}

@test "decays of a preset follow the batch unless they are given" {
  dataset d.h5
  # The images are too small for the network; its recipe is told all the same.
  run lepton-train d.h5 --net speed94 --batch 500 -v --summary
  expect 2 '"bias-decay":0.018867925'
  run lepton-train d.h5 --net speed94 --batch 500 --bias-decay 0.1 -v --summary
  expect 2 '"bias-decay":0.1,'
}

@test "a network from a file, and options from one; flags win" {
  dataset d.h5
  printf 'conv 4 3x3 relu # small\nmaxpool 2\n\ndense classes\n' >my.net
  printf 'epochs = 3\nlr = 0.01\n' >my.conf
  run lepton-train d.h5 --net my.net --config my.conf --epochs 2 -o m.h5 -v
  expect 0 "epoch 2/2"
  expect 0 '"lr":0.01'
  run lepton-train d.h5 --config my.conf --epochs 2 --print-config
  expect 0 "epochs = 2"
  expect 0 "lr = 0.01"
}

@test "waiting threads spin briefly, unless the user says how long" {
  spins() { env OMP_DISPLAY_ENV=verbose "$@" 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'/\1/p"; }
  [ -n "$(spins lepton-train -V)" ] || skip "another OpenMP than libgomp"
  for tool in lepton-train lepton-infer lepton-eval; do [ "$(spins $tool -V)" = 1000 ]; done
  [ "$(spins env -i "PATH=$PATH" OMP_DISPLAY_ENV=verbose lepton-train -V)" = 1000 ]
  [ "$(spins GOMP_SPINCOUNT=77 lepton-train -V)" = 77 ]
  [ "$(spins OMP_WAIT_POLICY=passive lepton-train -V)" = 0 ]
  env -i "$(command -v lepton-train)" -V
}

@test "the log is an object a line and epoch" {
  dataset d.h5
  lepton-train d.h5 -q --net "$net" --epochs 3 --log log.jsonl -o m.h5
  [ "$(wc -l <log.jsonl)" -eq 3 ]
  for key in epoch train_loss train_accuracy val_loss val_accuracy lr seconds images_per_second best; do
    [ "$(grep -c "\"$key\":" log.jsonl)" -eq 3 ] || { echo "no $key"; false; }
  done
  lepton-train d.h5 -q --net "$net" --epochs 2 --log log.jsonl -o m.h5
  [ "$(wc -l <log.jsonl)" -eq 2 ]
}

@test "mirrored images are judged, and sides that matter are not mirrored" {
  dataset d.h5
  run lepton-train d.h5 --net "$net" --epochs 5 --augment auto -o m.h5
  expect 0 "no mirroring"
}

@test "without validation all of train is used and nothing is scored" {
  dataset d.h5
  run lepton-train d.h5 --net "$net" --epochs 2 --val none -v -o m.h5
  expect 0 "epoch 2/2"
  [[ $output != *"val loss"* ]]
  run lepton-train d.h5 --net "$net" --epochs 2 --val 0.25 -v -o m.h5
  expect 0 "validation:"
}

@test "ends early by target and by patience, and on time" {
  dataset d.h5
  run lepton-train d.h5 --net "$net" --epochs 500 --target accuracy=0.9 -o m.h5
  expect 0 "epoch 1/500"
  [[ $output != *"epoch 400/"* ]]
  run lepton-train d.h5 --net 'dense classes' --epochs 500 --lr 0 --patience 2 -o m.h5
  expect 0 "epoch 3/500"
  [[ $output != *"epoch 4/"* ]]
  SECONDS=0
  run lepton-train d.h5 --net "$net" --time 1s -o m.h5
  expect 0 "epoch 1:"
  [ $SECONDS -lt 20 ]
}

@test "goes on from another model's weights" {
  dataset d.h5
  dataset two.h5 120 2
  lepton-train d.h5 -q --net "$net" --epochs 6 -o m.h5
  run lepton-train d.h5 --init m.h5 --epochs 1 -o n.h5
  expect 0 "epoch 1/1"
  [[ $output =~ val\ loss.*accuracy\ (0\.9|1\.0) ]]
  lepton-train two.h5 -q --init m.h5 --epochs 1 -o n.h5
  run lepton-train d.h5 --init m.h5 --net 'conv 9 3x3; dense classes' --epochs 1 -o n.h5
  expect 7 "conv1/kernel"
}

@test "lists, summary and profile go to stdout and train nothing" {
  dataset d.h5
  run lepton-train --list-nets
  expect 0 "$(printf 'resnet9\timages\t')"
  expect 0 "$(printf 'textcnn\ttexts\t')"
  run lepton-train d.h5 --net textcnn -o m.h5
  expect 2 "is for texts; this data has images"
  run lepton-train --list-layers
  expect 0 "maxpool"
  run lepton-train --list-devices
  expect 0 "$(printf 'device\tname\tmemory\tcapability\tdriver')"
  expect 0 "$(printf '\ncpu\t')"
  run lepton-train d.h5 --net "$net" --summary
  expect 0 "conv1"
  run lepton-train d.h5 --net "$net" --profile
  expect 0 "$(printf 'layer\tforward_ms\tbackward_ms')"
  run lepton-train --help
  expect 0 "Example:"
  [ "${#lines[@]}" -le 22 ]
}

@test "a rule for make names what was read" {
  dataset d.h5
  printf 'dense classes\n' >my.net
  lepton-train d.h5 -q --net my.net --epochs 1 --depfile m.d -o m.h5
  [ "$(tr -d '\\\n' <m.d | tr -s ' ')" = "m.h5: d.h5 my.net" ]
}

@test "quiet means quiet" {
  dataset d.h5
  run lepton-train d.h5 -q --net "$net" --epochs 1 -o m.h5
  [ "$status" -eq 0 ] && [ -z "$output" ]
}
