# lepton-push to plain directories.
bats_require_minimum_version 1.5.0
load suite

setup_file() {
  export root=file://$BATS_FILE_TMPDIR/store/ clients="" kill_within=0.05
}
setup() { setup_suite_test; }
damage() { printf %s "$2" >"${dest#file://}$1"; }
store_copy() { cp -r "${dest#file://}" "$1/"; }

@test "directory: any name comes back as it was" { round_trip; }
@test "directory: only changes are sent; --delete, --rollback, --name" { changes; }
@test "directory: --keep" { keeps; }
@test "directory: encrypted and signed" { private; }
@test "directory: damage is found and never pulled" { damaged; }
@test "directory: --dry-run is a script that does the same" { scripted; }
@test "directory: of two pushers one wins" { races; }
@test "directory: kill -9 at any moment leaves a whole release" { survives_kills; }
@test "directory: models and data are read from there" { read_by_tools; }

@test "several destinations: a line each, --require decides, one that fails stops no other" {
  echo x >model
  : >file
  run lepton-push model "$PWD/one" "$dest" --to "$PWD/two"
  expect 4 "$PWD/one: No such file"  # with --to every operand is a file
  run --separate-stderr lepton-push model --to "$PWD/one" --to "$dest" --to "$PWD/file/below"
  expect 5 "$PWD/one"$'\t'pushed
  [ "${#lines[@]}" -eq 3 ]
  [[ ${lines[2]} == "$PWD/file/below"$'\t'failed$'\t'0$'\t'0$'\t' ]]
  [[ $stderr == "lepton-push: "*"file/below"* ]]
  run lepton-push --require 2 model --to "$PWD/one" --to "$dest" --to "$PWD/file/below"
  [ "$status" -eq 0 ]
  run lepton-push --require any model --to "$PWD/file/below"
  [ "$status" -eq 5 ]
  lepton-push --json model "$PWD/one" | jq -e '.state == "unchanged" and .objects == 0' >/dev/null
}

@test "inputs: lists, globs, folders, what cannot be published" {
  mkdir -p art/deep
  echo a >art/a.h5
  echo b >art/deep/b.log
  find art -type f -print0 | lepton-push --files0-from - --exclude '*.log' out >/dev/null
  [ "$(lepton-push --list out | cut -f1)" = art/a.h5 ]
  find art -type f | lepton-push --files-from - out >/dev/null
  [ "$(lepton-push --list out | cut -f1 | tr '\n' ' ')" = "art/a.h5 art/deep/b.log " ]
  lepton-push --pull --include '*.log' out -o back >/dev/null
  [ "$(find back -type f)" = back/art/deep/b.log ]
  run lepton-push --files-from /dev/null out
  expect 4 "no files to publish"
  run lepton-push nothing out
  expect 4 "nothing: "
  run lepton-push art
  expect 2 "no files given"
  run lepton-push art/a.h5 art/deep/../a.h5 out
  expect 2 "would both be published as 'a.h5'"
  for bad in s3:// s3://b/ gs://bucket/a*b/ az://account/ 'https://x/y'; do
    run lepton-push art "$bad"
    expect 2 "$bad"
  done
  for bad in "--require none" "--name a/b" "--sse aes" "--pull" "--keep 0" "--pull --list" "-o x"; do
    run lepton-push $bad art out
    expect 2 "lepton-push: "
  done
}

@test "a newer or damaged manifest or pointer is refused, and the store left as it is" {
  echo x >model
  lepton-push model out >/dev/null
  pointer=out/releases/latest.json
  cp "$pointer" good
  sed -i 's/"version": 1/"version": 2/' "$pointer"
  run lepton-push model out
  expect 7 "version 2"
  run lepton-push --pull out -o back
  expect 7 "version 2"
  echo '{' >"$pointer"
  run lepton-push model out
  expect 6 "out/releases/latest.json: is no JSON"
  cp good "$pointer"
  echo >>out/manifests/*.json
  run lepton-push model out
  expect 6 "do not have the hash"
  rm out/manifests/*.json
  run lepton-push --list out
  expect 6 "is missing"
}

@test "a full disk on pull: nothing half written" {
  [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
  head -c 3000000 /dev/urandom >model
  lepton-push model out >/dev/null
  mkdir small
  mount -t tmpfs -o size=2m none small 2>/dev/null || skip "cannot mount"
  run lepton-push --pull out -o small/back
  umount small
  expect 5 "No space left"
}

@test "INT ends a push and its clients, and nothing is half published" {
  mkdir bin
  printf '#!/bin/sh\necho $$ >>pids\nexec sleep 60\n' >bin/aws
  chmod +x bin/aws
  echo x >model
  PATH=$PWD/bin:$PATH lepton-push model s3://bucket/x/ &
  pusher=$!
  while [ ! -s pids ]; do sleep 0.05; done
  kill -INT "$pusher"
  status=0
  wait "$pusher" || status=$?
  [ "$status" -eq 130 ]
  sleep 0.2
  ! kill -0 "$(head -n 1 pids)" 2>/dev/null
  [ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'lepton-push-*' -newer model -user "$(id -u)")" ]
}
