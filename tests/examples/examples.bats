# The worked examples, as they stand.
load ../common

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }
example() { "$BATS_TEST_DIRNAME/../../examples/$1" >out 2>err || { tail -n 20 err; return 1; }; }

@test "speech: spoken words, of voices never heard" {
  command -v espeak-ng >/dev/null || skip "NO espeak-ng: the example of speech is not run; scripts/setup installs it"
  example spoken-words
  grep -q $'^words/seven_f2_150.wav\tseven\t' out
}

@test "text: the language of a line" {
  [ -e /usr/share/games/fortunes/es ] || skip "NO fortunes-es: the example of text is not run; scripts/setup installs it"
  example languages
  grep -q $'^-:1\tde\t' out
  grep -q $'^-:2\tes\t' out
}

@test "a table: customers who leave" {
  example customers
  [ "$(grep -c '^-:' out)" -eq 3 ]
  grep -q $'^test\troc_auc\tcomplaints\t' out
}
