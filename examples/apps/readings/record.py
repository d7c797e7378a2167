"""Records the input that comes with this app: how long this machine takes for the same small piece of work.

    python record.py --seconds 120 --every 0.2 > inputs/readings.csv

Each row is one measurement. On a busy machine some take far longer than their neighbours; those are what the app finds.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time


def work() -> float:
    """Milliseconds for the same sum each time."""
    begin = time.perf_counter()
    sum(number * number for number in range(20_000))
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    """Write `time,value` rows to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--every", type=float, default=0.2)
    options = parser.parse_args()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["time", "value"])
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < options.seconds:
        writer.writerow([f"{passed:.2f}", f"{work():.4f}"])
        time.sleep(options.every)


if __name__ == "__main__":
    main()
