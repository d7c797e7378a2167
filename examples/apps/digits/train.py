"""Trains the model that comes with this app, and writes the input and labels it is tried on.

    pip install scikit-learn==1.9.1
    python train.py

The data are scikit-learn's handwritten digits (1,797 images of 8x8 pixels, from the UCI "Optical Recognition of
Handwritten Digits" set). A third is held out: it becomes `inputs/digits.csv`, which the model has never seen.
`model.npz` holds the network's weights as plain arrays, so that predicting needs numpy alone and loads no pickle.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
SEED = 7


def main() -> None:
    """Train, check, and write model.npz and inputs/digits.csv."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=1 / 3, random_state=SEED, stratify=digits.target
    )
    scaler = StandardScaler().fit(train_x)
    network = MLPClassifier(hidden_layer_sizes=(64,), max_iter=600, alpha=1e-3, random_state=SEED)
    network.fit(scaler.transform(train_x), train_y)
    print(f"held-out accuracy {network.score(scaler.transform(test_x), test_y):.4f} on {len(test_y)} images")

    arrays = {"mean": scaler.mean_, "scale": scaler.scale_, "classes": network.classes_}
    for layer, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        arrays[f"weights{layer}"] = weights.astype(np.float32)
        arrays[f"bias{layer}"] = bias.astype(np.float32)
    np.savez_compressed(HERE / "model.npz", **arrays)

    with (HERE / "inputs" / "digits.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"pixel{number}" for number in range(64)), "label"])
        for pixels, label in zip(test_x, test_y, strict=True):
            writer.writerow([*(f"{value:g}" for value in pixels), label])


if __name__ == "__main__":
    main()
