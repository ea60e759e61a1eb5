# lepton-push to Google Cloud Storage, through the real gcloud against fake-gcs-server.
bats_require_minimum_version 1.5.0
load ../push/suite
load emulators

setup_file() {
  start_gcs 2>"$BATS_FILE_TMPDIR/why" || { export missing; missing=$(<"$BATS_FILE_TMPDIR/why"); return 0; }
  export root=gs://bkt1/store/ nowhere=gs://no-such-bucket/x/ clients=gcloud kill_within=8
}
teardown_file() { stop_emulators; }
setup() {
  [ -z "${missing:-}" ] || skip "$missing"
  setup_suite_test
}
damage() { printf %s "$2" >bytes && gcloud storage cp bytes "$dest$1" 2>/dev/null; }
store_copy() { gcloud storage cp --recursive "$dest*" "$1" 2>/dev/null; }

@test "gcs: any name comes back as it was" { round_trip; }
@test "gcs: only changes are sent; --delete, --rollback, --name" { changes; }
@test "gcs: --keep" { keeps; }
@test "gcs: encrypted and signed" { private; }
@test "gcs: damage is found and never pulled" { damaged; }
@test "gcs: --dry-run is a script that does the same" { scripted; }
@test "gcs: kill -9 at any moment leaves a whole release" { survives_kills; }
@test "gcs: few client processes" { counts; }
@test "gcs: models and data are read from there" { read_by_tools; }
@test "gcs: a missing bucket, a missing client" { refuses; }

@test "gcs: a key of the provider's own, and the generation that the pointer was read with, are in the command" {
  echo x >model
  lepton-push model "$dest" >/dev/null
  echo y >model
  lepton-push --dry-run --sse kms:projects/p/locations/l/keyRings/r/cryptoKeys/k model "$dest" >script
  grep -q -- '--encryption-key=projects/p/locations/l/keyRings/r/cryptoKeys/k' script
  grep -qE -- "latest.json.*--if-generation-match=[0-9]+|--if-generation-match=[0-9]+.*latest.json" script
}
