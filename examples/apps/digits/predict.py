"""Reads handwritten digits: a small neural network, trained by train.py, applied to a CSV of 8x8 images.

    python predict.py --input digits.csv --output OUTPUT_DIR

The input has columns pixel0 to pixel63 (0 to 16, row by row) and may have a column `label` with the true digit, which
is used only to print the accuracy. `predictions.csv` has one row per image: `image`, `prediction`, `confidence` and,
where the input has it, `label`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PIXELS = [f"pixel{number}" for number in range(64)]


def predict(model: dict[str, np.ndarray], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The digit of each image (n x 64) and the probability the network gives it."""
    values = (images - model["mean"]) / model["scale"]
    layers = sum(1 for name in model if name.startswith("weights"))
    for layer in range(layers):
        values = values @ model[f"weights{layer}"] + model[f"bias{layer}"]
        if layer < layers - 1:
            values = np.maximum(values, 0)
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return model["classes"][probabilities.argmax(axis=1)], probabilities.max(axis=1)


def read(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """The images and, where the input has them, the labels. Ends the program with a sentence on unusable input."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in PIXELS if name not in (reader.fieldnames or [])]
        if missing:
            sys.exit(f"the input needs the columns pixel0 to pixel63; {missing[0]} is missing")
        rows = list(reader)
    images = []
    for number, row in enumerate(rows, start=2):
        try:
            images.append([float(row[name]) for name in PIXELS])
        except (TypeError, ValueError):
            sys.exit(f"line {number}: each pixel must be a number")
    labels = [row["label"] for row in rows] if rows and "label" in rows[0] else None
    return np.array(images, dtype=np.float64).reshape(-1, len(PIXELS)), labels


def main() -> None:
    """Read the input, predict, write predictions.csv, print the accuracy where labels are known."""
    parser = argparse.ArgumentParser(description="Read handwritten digits.")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    images, labels = read(options.input)
    print(f"{len(images)} images")
    with np.load(HERE / "model.npz", allow_pickle=False) as file:
        model = {name: file[name] for name in file.files}
    digits, confidences = predict(model, images)
    header = ["image", "prediction", "confidence"] + (["label"] if labels else [])
    with (options.output / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for number, (digit, confidence) in enumerate(zip(digits, confidences, strict=True)):
            writer.writerow([number, digit, f"{confidence:.4f}"] + ([labels[number]] if labels else []))
    if labels:
        right = sum(str(digit) == label for digit, label in zip(digits, labels, strict=True))
        print(f"accuracy {right / len(labels):.4f}: {right} of {len(labels)} right")


if __name__ == "__main__":
    main()
