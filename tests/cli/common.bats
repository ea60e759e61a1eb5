# What all tools do alike: help, version, configuration, environment, usage errors.
load ../common
bats_require_minimum_version 1.5.0

tools="lepton-prep lepton-train lepton-infer lepton-eval lepton-push"

@test "--help and --version go to standard output, help is short and has an example" {
  for tool in $tools; do
    run --separate-stderr "$tool" --help
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${#lines[@]}" -le 24 ]
    [[ $output == *"Example: "*"$tool "* ]]
    [ "$("$tool" --help=all | wc -l)" -gt "${#lines[@]}" ]
    [[ "$("$tool" -V)" =~ ^"$tool "[0-9]+\.[0-9]+ ]]
  done
}

@test "usage errors: status 2, nothing on standard output, the program's name first, the nearest option" {
  for tool in $tools; do
    for bad in --sed --thread=2 --quite; do
      run --separate-stderr "$tool" "$bad"
      [ "$status" -eq 2 ]
      [ -z "$output" ]
      [[ $stderr == "$tool: "*"did you mean '--"* ]]
    done
    run "$tool" -j 0
    expect 2 "$tool: "
    LEPTON_THREADS=many run "$tool" x
    expect 2 "LEPTON_THREADS"
    run "$tool" --config /no/such/file x
    [ "$status" -ne 0 ]
    expect "$status" "/no/such/file"
  done
}

@test "--print-config prints what --config reads; flags win" {
  cd "$BATS_TEST_TMPDIR"
  for tool in $tools; do
    "$tool" --seed 7 -j 3 --print-config >config
    grep -qx 'seed = 7' config
    grep -qx 'threads = 3' config
    "$tool" --config config --print-config | cmp - config
    "$tool" --config config --seed 8 --print-config | grep -qx 'seed = 8'
    echo 'sede = 1' >bad
    run "$tool" --config bad
    expect 2 "bad:1: no option 'sede'; did you mean 'seed'?"
  done
}

@test "a closed or full standard output is an error, also of --help" {
  for tool in $tools; do
    run bash -c "$tool --help >/dev/full"
    expect 5 "$tool: standard output"
    run bash -c "$tool --help >&-"
    expect 5 "$tool: standard output"
  done
}

@test "a signal ends a waiting tool with 128 + its number" {
  make_shared
  mkfifo "$BATS_TEST_TMPDIR/names"
  for signal in INT TERM; do
    # In a shell of its own, since a background job ignores INT.
    run perl -e '
      my ($signal, $names, $model) = @ARGV;
      my $pid = fork() // die;
      if (!$pid) { $SIG{INT} = "DEFAULT"; open STDIN, "+<", $names or die; exec "lepton-infer", $model, "--files-from", "-" }
      sleep 1; kill $signal, $pid; waitpid $pid, 0; exit($? & 127 ? 1 : $? >> 8)' \
      "$signal" "$BATS_TEST_TMPDIR/names" "$shared/model.h5"
    [ "$status" -eq $((128 + $(kill -l $signal))) ]
  done
}
