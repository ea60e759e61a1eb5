# One suite for every kind of destination. A file of tests sets in setup_file: $root (a destination), $clients (the
# client's program, "" for directories), and defines damage KEY (replaces an object's bytes by others of the same size).
load ../common

setup_suite_test() {
  cd "$BATS_TEST_TMPDIR"
  export XDG_STATE_HOME=$PWD/state XDG_CACHE_HOME=$PWD/cache
  dest=$root$BATS_TEST_NUMBER/
}

# A tree with names that a shell, a client or a URL could take for something else.
odd_tree() {
  mkdir -p "$1/sub dir/deep"
  printf one >"$1/plain.txt"
  printf two >"$1/with space.txt"
  printf three >"$1/-dash"
  printf four >"$1/quote'\".txt"
  printf five >"$1/new
line"
  printf six >"$1/ünïcödé 网络.bin"
  printf seven >"$1/sub dir/deep/star*[x]?#1"
  printf eight >"$1/sub dir/\$(id) & ; %41"
  printf one >"$1/same as plain"
  : >"$1/empty"
}

# field N of the last run's first line
field() { cut -f"$1" <<<"${lines[0]}"; }

round_trip() {
  odd_tree art
  run --separate-stderr lepton-push art "$dest"
  expect 0 "$dest"$'\t'pushed$'\t'9$'\t'
  [[ $(field 5) =~ ^[0-9a-f]{64}$ ]]
  lepton-push art "$dest" >second
  [ "$(cut -f2,3,4 second)" = "unchanged"$'\t'0$'\t'0 ]
  [ "$(lepton-push --list "$dest" | wc -l)" -eq 10 ]
  lepton-push --list "$dest" | cut -f1,2 | grep -qxF 'art/new\nline'$'\t'4
  lepton-push --verify --deep "$dest" | grep -q verified
  lepton-push --pull "$dest" -o back >/dev/null
  diff -r art back/art
  lepton-push --pull "$dest" -o back | grep -q unchanged
}

changes() {
  mkdir art
  for i in 1 2 3; do echo "$i" >"art/$i"; done
  lepton-push --time yesterday art "$dest" >/dev/null
  echo 4 >art/4
  rm art/1
  [ "$(lepton-push art "$dest" | cut -f2,3)" = pushed$'\t'1 ]
  [ "$(lepton-push --list "$dest" | wc -l)" -eq 4 ]
  [ "$(lepton-push --delete art "$dest" | cut -f2,3)" = pushed$'\t'0 ]
  [ "$(lepton-push --list "$dest" | wc -l)" -eq 3 ]
  [ "$(lepton-push --status "$dest" | cut -f2,3,4,5)" = $'latest\t0\t\t3\nlatest\t1\t\t4\nlatest\t2\tyesterday\t3' ]
  lepton-push --rollback "$dest" | grep -q rolled-back
  lepton-push --rollback "$dest" | grep -q rolled-back
  run lepton-push --rollback "$dest"
  expect 4 "no release before"
  lepton-push --pull "$dest" -o back >/dev/null
  [ "$(ls back/art | tr -d '\n')" = 123 ]
  lepton-push --name staging art "$dest" >/dev/null
  [ "$(lepton-push --status "$dest" | cut -f2 | sort -u | tr -d '\n')" = lateststaging ]
  run lepton-push --list --name nobody "$dest"
  expect 4 "nothing is published under the name 'nobody'"
}

keeps() {
  for i in 1 2 3; do
    echo "$i" >model
    lepton-push $([ "$i" -lt 3 ] || echo --keep 2 --grace 0) model "$dest" >/dev/null
  done
  [ "$(lepton-push --status "$dest" | wc -l)" -eq 2 ]
  lepton-push --verify --deep "$dest" | grep -q verified
  lepton-push --rollback "$dest" >/dev/null
  lepton-push --pull "$dest" -o back >/dev/null
  [ "$(cat back/model)" = 2 ]
}

private() {
  command -v age >/dev/null || skip "NO age"
  mkdir secret
  echo "a patient's name" >"secret/patient 7.txt"
  cp /bin/true secret/true
  age-keygen -o key 2>/dev/null
  ssh-keygen -q -t ed25519 -N '' -C '' -f signer
  ssh-keygen -q -t ed25519 -N '' -C '' -f stranger
  local recipient
  recipient=$(age-keygen -y key)
  echo "me@clinic $(cat signer.pub)" >allowed
  echo "you@elsewhere $(cat stranger.pub)" >others
  lepton-push --encrypt-to "$recipient" --recipients-file signer.pub --sign signer secret "$dest" >/dev/null
  [ "$(lepton-push --encrypt-to "$recipient" --recipients-file signer.pub --sign signer secret "$dest" | cut -f2)" = unchanged ]
  echo more >secret/more
  [ "$(lepton-push --encrypt-to "$recipient" --recipients-file signer.pub --sign signer secret "$dest" | cut -f2,3)" = pushed$'\t'1 ]
  echo alone >alone
  run lepton-push --encrypt-to "$recipient" --recipients-file signer.pub --sign signer alone "$dest"
  expect 2 "signed unseen"
  run lepton-push alone "$dest"
  expect 2 "for other recipients"
  run lepton-push --pull "$dest" -o back
  expect 2 "--identity"
  run lepton-push --list "$dest"
  expect 2 "--identity"
  lepton-push --pull --identity key --allowed-signers allowed "$dest" -o back >/dev/null
  diff -r secret back/secret
  lepton-push --pull --identity signer "$dest" -o back2 >/dev/null
  diff -r secret back2/secret
  lepton-push --verify --allowed-signers allowed "$dest" | grep -q verified
  run lepton-push --verify --allowed-signers others "$dest"
  expect 6 "signed by nobody in others"
  run lepton-push --pull --identity stranger "$dest" -o back3
  expect 6 "not decrypted"
  lepton-push --status "$dest" | head -n 1 | grep -q encrypted,signed
  fetch_all everything
  ! grep -rqE "patient|true|$(sha256sum secret/true | cut -c1-64)" everything
  rm -r state
  [ "$(lepton-push --encrypt-to "$recipient" --recipients-file signer.pub secret "$dest" | cut -f2,3)" = pushed$'\t'3 ]
  run lepton-push --verify --allowed-signers allowed "$dest"
  expect 6 "is not signed"
}

# Everything a destination stores, as files: what a stranger with read access sees.
fetch_all() {
  mkdir "$1"
  lepton-push --status "$dest" >"$1/status"
  store_copy "$1"
}

damaged() {
  printf 'the first' >a
  printf 'the other' >b
  lepton-push a b "$dest" >/dev/null
  damage "objects/sha256/$(sha256sum a | cut -c1-2)/$(sha256sum a | cut -c1-64)" 'The first'
  run lepton-push --verify --deep "$dest"
  expect 6 "$dest"
  run lepton-push --pull "$dest" -o back
  expect 6 "hash"
  [ ! -e back/a ]
  [ "$(lepton-push --list "$dest" | wc -l)" -eq 2 ]
}

scripted() {
  mkdir art
  printf 'it'\''s' >"art/it's"
  printf old >art/old
  lepton-push art "$dest" >/dev/null
  printf new >"art/new \$x"
  lepton-push --dry-run art "$dest" >script
  [ "$(lepton-push --list "$dest" | wc -l)" -eq 2 ]
  sh script >/dev/null
  lepton-push --pull "$dest" -o back >/dev/null
  diff -r art back/art
  [ "$(lepton-push art "$dest" | cut -f2)" = unchanged ]
  [ ! -e "$(sed -n 's/^mkdir -p //p' script | head -n 1)" ]
}

# Two pushers at once, again and again: never both, never neither, and what is read is whole.
races() {
  local round a b
  for round in 1 2 3 4; do
    mkdir -p "left" "right"
    echo "left $round" >left/model
    echo "right $round" >right/model
    (cd left && echo 0 >rc && lepton-push --retries 0 model "$dest" >out 2>err || echo $? >rc) &
    a=$!
    (cd right && echo 0 >rc && lepton-push --retries 0 model "$dest" >out 2>err || echo $? >rc) &
    b=$!
    wait "$a" || true
    wait "$b" || true
    rm -rf back
    lepton-push --pull "$dest" -o back >/dev/null
    echo "round $round: $(cat left/rc right/rc | tr '\n' ' ') $(cat back/model) $(cat left/err right/err)"
    case "$(cat left/rc)$(cat right/rc)" in
      00) ;;  # one after the other
      075) grep -q "left $round" back/model; grep -q "was faster" right/err ;;
      750) grep -q "right $round" back/model; grep -q "was faster" left/err ;;
      *) return 1 ;;
    esac
  done
}

# kill -9 of the pusher, or of its client, at random moments: a reader always finds a whole release.
survives_kills() {
  local round rounds=${LEPTON_KILL_ROUNDS:-3} pusher
  mkdir art
  for i in $(seq 20); do head -c 3000 /dev/urandom >"art/$i"; done
  lepton-push art "$dest" >/dev/null
  for round in $(seq "$rounds"); do
    for i in $(seq 5); do head -c 3000 /dev/urandom >"art/$i"; done
    lepton-push --retries 1 art "$dest" >/dev/null 2>&1 &
    pusher=$!
    perl -e 'select undef, undef, undef, rand(shift)' "$kill_within"
    if [ $((round % 2)) -eq 0 ] && [ -n "$clients" ]; then
      pkill -9 -P "$pusher" 2>/dev/null || true
    else
      kill -9 "$pusher" 2>/dev/null || true
    fi
    wait "$pusher" || true
    lepton-push --verify --deep "$dest" | grep -q verified
  done
  lepton-push art "$dest" >/dev/null
  lepton-push --pull "$dest" -o back >/dev/null
  diff -r art back/art
}

# A push that changes starts few clients, one that changes nothing at most two.
counts() {
  mkdir wrap art
  for program in $clients; do
    printf '#!/bin/sh\necho "$@" >>"%s/calls"\nexec "%s" "$@"\n' "$PWD" "$(command -v "$program")" >"wrap/$program"
    chmod +x "wrap/$program"
  done
  for i in $(seq 60); do echo "$i" >"art/$i"; done
  PATH=$PWD/wrap:$PATH lepton-push art "$dest" >/dev/null
  : >calls
  echo changed >art/1
  PATH=$PWD/wrap:$PATH lepton-push art "$dest" >/dev/null
  cat calls
  [ "$(wc -l <calls)" -le 7 ] && [ "$(wc -l <calls)" -ge 4 ]
  : >calls
  PATH=$PWD/wrap:$PATH lepton-push art "$dest" | grep -q unchanged
  [ "$(wc -l <calls)" -le 2 ] && [ "$(wc -l <calls)" -ge 1 ]
}

refuses() {
  echo x >model
  run lepton-push model "$nowhere"
  expect 5 "$nowhere"
  [[ $output == *"there is no such bucket"* ]]
  mkdir empty
  run env PATH="$(dirname "$(command -v lepton-push)"):$PWD/empty" "$(command -v lepton-push)" model "$dest"
  expect 2 "no $clients in PATH"
}

# A model and a dataset read from where they were published.
read_by_tools() {
  make_shared
  cp "$shared/model.h5" digits.h5
  cp "$shared/data.h5" data.h5
  lepton-push digits.h5 data.h5 "$dest" >/dev/null
  lepton-push --name staging digits.h5 "$dest" >/dev/null
  lepton-infer "${dest}digits.h5" "$shared"/images/*.png >one
  lepton-infer digits.h5 "$shared"/images/*.png >two
  cmp one two
  [ "$(lepton-eval "${dest}digits.h5@staging" "${dest}data.h5:test" --json)" = "$(lepton-eval digits.h5 data.h5:test --json)" ]
  lepton-prep --check "${dest}data.h5"
  [ "$(lepton-prep --list "${dest}data.h5:test" | wc -l)" -eq 60 ]
  lepton-train "${dest}data.h5" --init "${dest}digits.h5" --epochs 1 -q -o again.h5
  run lepton-infer "${dest}none.h5" x
  expect 4 "has no 'none.h5'"
}
