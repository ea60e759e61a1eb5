#!/usr/bin/perl
# Makes small inputs without any library: make.pl png W H gray|rgb SEED >file; make.pl idx N W H LABELS DIR STEM;
# make.pl cifar N SEED >file; make.pl wav RATE SECONDS HERTZ SEED >file (16 bits, a tone with noise). Pixels are a fixed function of seed and position.
use strict;
use warnings;

sub pixels {
    my ($count, $seed) = @_;
    my $state = ($seed * 2654435761 + 12345) % 4294967296;
    return join '', map { $state = ($state * 1664525 + 1013904223) % 4294967296; chr($state >> 24) } 1 .. $count;
}

my @crc = map { my $c = $_; $c = $c & 1 ? 0xEDB88320 ^ ($c >> 1) : $c >> 1 for 1 .. 8; $c } 0 .. 255;

sub chunk {
    my ($type, $data) = @_;
    my $sum = 0xFFFFFFFF;
    $sum = $crc[($sum ^ ord) & 255] ^ ($sum >> 8) for split //, $type . $data;
    return pack('N', length $data) . $type . $data . pack('N', $sum ^ 0xFFFFFFFF);
}

sub zlib_stored {
    my ($data) = @_;
    my ($low, $high) = (1, 0);
    for (split //, $data) { $low = ($low + ord) % 65521; $high = ($high + $low) % 65521; }
    return "\x78\x01" . pack('Cvv', 1, length $data, 65535 - length $data) . $data . pack('N', $high << 16 | $low);
}

binmode STDOUT;
my $what = shift;
if ($what eq 'png') {
    my ($width, $height, $kind, $seed) = @ARGV;
    my $row = $width * ($kind eq 'gray' ? 1 : 3);
    my $all = pixels($row * $height, $seed);
    my $raw = join '', map { "\0" . substr($all, $_ * $row, $row) } 0 .. $height - 1;
    print "\x89PNG\r\n\x1a\n", chunk('IHDR', pack('NNCCCCC', $width, $height, 8, $kind eq 'gray' ? 0 : 2, 0, 0, 0)),
        chunk('IDAT', zlib_stored($raw)), chunk('IEND', '');
} elsif ($what eq 'idx') {
    my ($count, $width, $height, $labels, $dir, $stem) = @ARGV;
    open my $images, '>:raw', "$dir/$stem-images-idx3-ubyte" or die $!;
    print $images pack('NNNN', 0x803, $count, $height, $width), pixels($count * $width * $height, $count);
    open my $classes, '>:raw', "$dir/$stem-labels-idx1-ubyte" or die $!;
    print $classes pack('NN', 0x801, $count), map { chr($_ % $labels) } 0 .. $count - 1;
} elsif ($what eq 'cifar') {
    my ($count, $seed) = @ARGV;
    print chr($_ % 10), pixels(3072, $seed * 1000 + $_) for 0 .. $count - 1;
} elsif ($what eq 'wav') {
    my ($rate, $seconds, $hertz, $seed) = @ARGV;
    my $count = int($rate * $seconds);
    my @noise = unpack 'C*', pixels($count, $seed);
    my $data = pack 'v*', map {
        int(8000 * sin(6.283185307 * $hertz * $_ / $rate) + 4 * ($noise[$_] - 128)) & 65535
    } 0 .. $count - 1;
    print 'RIFF', pack('V', 36 + length $data), 'WAVEfmt ', pack('VvvVVvv', 16, 1, 1, $rate, 2 * $rate, 2, 16),
        'data', pack('V', length $data), $data;
} else {
    die "make.pl: unknown kind\n";
}
