"""Marks the unusual readings of a device, with the standard library alone.

A reading is unusual when it lies further from the median of its neighbourhood than `threshold` times the
neighbourhood's scaled median absolute deviation: the Hampel identifier (F. R. Hampel, "The influence curve and its role
in robust estimation", 1974). The scale 1.4826 makes the deviation comparable to a standard deviation for normally
distributed readings.

    python predict.py --input readings.csv --output OUTPUT_DIR [--window 15] [--threshold 4]

The input has a column `value`; other columns are copied. `predictions.csv` adds `expected`, `deviations` and `unusual`.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from pathlib import Path

SCALE = 1.4826
SMALLEST_DEVIATION = 1e-9


def judge(values: list[float], window: int, threshold: float) -> list[tuple[float, float, bool]]:
    """For each value: the median of the `window` values on each side and itself, how many deviations off it is, and
    whether that is more than `threshold`."""
    verdicts = []
    for index, value in enumerate(values):
        neighbours = values[max(0, index - window) : index + window + 1]
        expected = statistics.median(neighbours)
        deviation = SCALE * statistics.median(abs(one - expected) for one in neighbours)
        off = abs(value - expected) / max(deviation, SMALLEST_DEVIATION)
        verdicts.append((expected, off, off > threshold))
    return verdicts


def read(path: Path) -> tuple[list[str], list[dict[str, str]], list[float]]:
    """The columns, the rows, and the values. Ends the program with a sentence when the input cannot be used."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        if "value" not in columns:
            sys.exit(f"the input needs a column named value; it has: {', '.join(columns) or 'none'}")
        rows = list(reader)
    values = []
    for number, row in enumerate(rows, start=2):
        try:
            values.append(float(row["value"]))
        except (TypeError, ValueError):
            sys.exit(f"line {number}: the value {row['value']!r} is not a number")
    return columns, rows, values


def main() -> None:
    """Read the input, judge each reading, write predictions.csv."""
    parser = argparse.ArgumentParser(description="Mark the unusual readings of a device.")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--window", type=int, default=15)
    parser.add_argument("--threshold", type=float, default=4.0)
    options = parser.parse_args()
    if options.window < 1 or options.threshold <= 0:
        sys.exit("window must be at least 1 and threshold above 0")
    columns, rows, values = read(options.input)
    print(f"{len(values)} readings, {options.window} neighbours on each side, threshold {options.threshold:g}")
    verdicts = judge(values, options.window, options.threshold)
    with (options.output / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, "expected", "deviations", "unusual"])
        for row, (expected, off, unusual) in zip(rows, verdicts, strict=True):
            writer.writerow([*(row[name] for name in columns), f"{expected:.4f}", f"{off:.2f}", str(unusual).lower()])
    unusual = sum(1 for *_, verdict in verdicts if verdict)
    print(f"{unusual} unusual readings ({unusual / max(len(values), 1):.1%})")


if __name__ == "__main__":
    main()
