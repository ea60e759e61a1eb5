# lepton-push to Azure Blob Storage, through the real az against Azurite.
bats_require_minimum_version 1.5.0
load ../push/suite
load emulators

setup_file() {
  start_azure 2>"$BATS_FILE_TMPDIR/why" || { export missing; missing=$(<"$BATS_FILE_TMPDIR/why"); return 0; }
  export root=az://devstoreaccount1/bkt1/store/ nowhere=az://devstoreaccount1/no-such-container/x/ clients=az kill_within=8
}
teardown_file() { stop_emulators; }
setup() {
  [ -z "${missing:-}" ] || skip "$missing"
  setup_suite_test
}
damage() { printf %s "$2" >bytes && az storage blob upload -c bkt1 -n "${dest#*/bkt1/}$1" -f bytes --overwrite true -o none; }
store_copy() { az storage blob download-batch -s bkt1 -d "$1" --pattern "${dest#*/bkt1/}*" --no-progress -o none >/dev/null; }

@test "azure: any name comes back as it was" { round_trip; }
@test "azure: only changes are sent; --delete, --rollback, --name" { changes; }
@test "azure: --keep" { keeps; }
@test "azure: encrypted and signed" { private; }
@test "azure: damage is found and never pulled" { damaged; }
@test "azure: --dry-run is a script that does the same" { scripted; }
@test "azure: of two pushers one wins" { races; }
@test "azure: kill -9 at any moment leaves a whole release" { survives_kills; }
@test "azure: few client processes" { counts; }
@test "azure: models and data are read from there" { read_by_tools; }
@test "azure: a missing bucket, a missing client" { refuses; }

@test "azure: an encryption scope, and the tag that the pointer was read with, are in the command" {
  echo x >model
  lepton-push model "$dest" >/dev/null
  echo y >model
  lepton-push --dry-run --sse kms:my-scope model "$dest" >script
  grep -q -- '--encryption-scope my-scope' script
  grep -qE -- "--if-match" script
}
