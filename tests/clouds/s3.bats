# lepton-push to S3, through the real aws against moto. What moto cannot show is asserted on the command instead.
bats_require_minimum_version 1.5.0
load ../push/suite
load emulators

setup_file() {
  start_s3 2>"$BATS_FILE_TMPDIR/why" || { export missing; missing=$(<"$BATS_FILE_TMPDIR/why"); return 0; }
  export root=s3://bkt1/store/ nowhere=s3://no-such-bucket/x/ clients=aws kill_within=4
}
teardown_file() { stop_emulators; }
setup() {
  [ -z "${missing:-}" ] || skip "$missing"
  setup_suite_test
}
s3() { aws --endpoint-url "$AWS_ENDPOINT_URL" s3 "$@" --only-show-errors; }
damage() { printf %s "$2" >bytes && s3 cp bytes "$dest$1"; }
store_copy() { s3 cp --recursive "$dest" "$1"; }

@test "s3: any name comes back as it was" { round_trip; }
@test "s3: only changes are sent; --delete, --rollback, --name" { changes; }
@test "s3: --keep" { keeps; }
@test "s3: encrypted and signed" { private; }
@test "s3: damage is found and never pulled" { damaged; }
@test "s3: --dry-run is a script that does the same" { scripted; }
@test "s3: kill -9 at any moment leaves a whole release" { survives_kills; }
@test "s3: few client processes" { counts; }
@test "s3: models and data are read from there" { read_by_tools; }
@test "s3: a missing bucket, a missing client" { refuses; }

@test "s3: wrong credentials and an endpoint that is down are told apart" {
  echo x >model
  AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY= run lepton-push model "$dest"
  expect 5 "credentials"
  AWS_ENDPOINT_URL=http://127.0.0.1:9 run lepton-push --retries 0 model "$dest"
  expect 75 "$dest"
}

@test "s3: a key of the provider's own, and the tag that the pointer was read with, are in the command" {
  echo x >model
  lepton-push model "$dest" >/dev/null
  echo y >model
  lepton-push --dry-run --sse kms:my-key model "$dest" >script
  [ "$(grep -cE -- '^aws .*aws:kms .*my-key' script)" -eq 3 ]
  grep -qE -- "put-object .*latest.json.*--if-match" script
  ! grep -q -- --acl script
}

@test "s3: what can pass is tried again, what cannot is told at once; the release stays" {
  printf 'first' >model
  lepton-push model "$dest" >/dev/null
  printf 'other' >model
  echo "none ANY 0" >mode
  start_emulator proxy python3 "$BATS_TEST_DIRNAME/fault_proxy.py" @PORT@ "${AWS_ENDPOINT_URL##*:}" "$PWD/mode"
  proxy=$! AWS_ENDPOINT_URL=http://127.0.0.1:$emulator_port
  for fault in "503 75" "429 75" "reset 75" "403 5" "hole 75"; do
    echo "${fault% *} PUT 100" >mode
    run lepton-push --retries 1 --timeout 5 model "$dest"
    expect "${fault#* }" "$dest"$'\t'failed
    echo "none ANY 0" >mode
    [ "$(lepton-push --pull "$dest" -o back >/dev/null && cat back/model)" = first ]
  done
  echo "503 ANY 2" >mode
  [ "$(lepton-push model "$dest" | cut -f2)" = pushed ]
  printf 'third' >model
  echo "flip PUT 1" >mode
  run lepton-push --deep model "$dest"  # the emulator believes any checksum that it is told
  expect 0 "it is sent again"
  lepton-push --verify --deep "$dest" | grep -q verified
  kill "$proxy"
}
