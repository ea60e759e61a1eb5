# texts.pl COUNT SEED: lines "label<TAB>text" that can be learnt: words of praise or of blame among words of neither.
use strict;
use warnings;
my ($count, $state) = @ARGV;
my %told = (pos => [qw(good fine lovely great)], neg => [qw(bad poor awful dull)]);
my @plain = qw(the film play story and actors were seemed is this scene rather);
sub draw { $state = ($state * 1664525 + 1013904223) % 4294967296; return ($state >> 16) % $_[0]; }
for my $i (1 .. $count) {
  my $label = (qw(pos neg))[$i % 2];
  my @words = map { $plain[draw(scalar @plain)] } 1 .. 3 + draw(6);
  splice @words, draw(@words + 1), 0, $told{$label}[draw(4)];
  print "$label\t@words $i .\n";
}
