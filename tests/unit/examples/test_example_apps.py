"""The example apps do what their READMEs say, called as a node calls them."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

APPS = Path(__file__).resolve().parents[3] / "examples" / "apps"


def call(app: str, source: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "predict.py", "--input", str(source), "--output", str(output), *arguments]
    return subprocess.run(command, cwd=APPS / app, capture_output=True, text=True, check=False)


def predictions(output: Path) -> list[dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_digits_are_read_and_the_accuracy_is_printed(tmp_path: Path) -> None:
    source = APPS / "digits" / "inputs" / "digits.csv"
    result = call("digits", source, tmp_path)
    assert result.returncode == 0, result.stderr
    rows = predictions(tmp_path)
    right = sum(row["prediction"] == row["label"] for row in rows)
    assert len(rows) == 599
    assert right / len(rows) > 0.97
    assert re.search(rf"accuracy 0\.\d+: {right} of 599 right", result.stdout)


def test_digits_says_which_column_is_missing(tmp_path: Path) -> None:
    source = tmp_path / "wrong.csv"
    source.write_text("pixel0,label\n1,2\n")
    result = call("digits", source, tmp_path)
    assert result.returncode == 1
    assert "pixel1 is missing" in result.stderr


def test_readings_finds_the_spike_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "steady.csv"
    values = [10 + (index % 5) * 0.1 for index in range(100)]
    values[40] = 25.0
    source.write_text("time,value\n" + "".join(f"{index},{value}\n" for index, value in enumerate(values)))
    result = call("readings", source, tmp_path)
    assert result.returncode == 0, result.stderr
    assert [row["time"] for row in predictions(tmp_path) if row["unusual"] == "true"] == ["40"]
    assert "1 unusual readings (1.0%)" in result.stdout


def test_readings_works_on_the_recording_that_comes_with_it(tmp_path: Path) -> None:
    result = call("readings", APPS / "readings" / "inputs" / "readings.csv", tmp_path, "--threshold", "6")
    assert result.returncode == 0, result.stderr
    rows = predictions(tmp_path)
    assert len(rows) > 400
    assert 0 < sum(row["unusual"] == "true" for row in rows) < len(rows) / 4
