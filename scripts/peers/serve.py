"""How every peer of scripts/bench speaks: "ready VERSION DIFFERENCE", then a figure for each line "S" on stdin."""
import statistics
import sys
import time

import numpy


def serve(version, call, samples, latency, found, expected):
    """Figures over S seconds: images a second, or the median microseconds of one call (latency).

    DIFFERENCE is that of `found` from `expected`, the largest relative to the largest.
    """
    print("ready", version, float(numpy.abs(found - expected).max() / numpy.abs(expected).max()), flush=True)
    for line in sys.stdin:
        seconds, times, begun = float(line), [], time.perf_counter()
        while not times or time.perf_counter() - begun < seconds:
            one = time.perf_counter()
            call()
            times.append(time.perf_counter() - one)
        whole = time.perf_counter() - begun
        print(1e6 * statistics.median(times) if latency else len(times) * samples / whole, flush=True)
