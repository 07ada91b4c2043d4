"""Small trained-looking models and data, made once a session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CLASSES = ("left", "right", "top")


def bright_spots(count: int, seed: int) -> tuple[Any, Any]:
    """Draw 16x16 grey pictures with a bright spot whose place is the class.

    Returns:
        x: uint8, shape (count, 16, 16, 1).
        y: Class numbers, shape (count,).
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(CLASSES), count)
    x = rng.integers(0, 60, (count, 16, 16, 1))
    corners = np.array([[6, 0], [6, 12], [0, 6]])[y] + rng.integers(0, 3, (count, 2))
    for picture, (row, column) in zip(x, corners, strict=True):
        picture[row : row + 4, column : column + 4] += 180
    return x.astype(np.uint8), y


@pytest.fixture(scope="session")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .npz of 90 labelled pictures."""
    path = tmp_path_factory.mktemp("spots") / "spots.npz"
    x, y = bright_spots(90, seed=1)
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture(scope="session")
def spots_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a .keras file of a small net that knows the spots."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = bright_spots(600, seed=0)
    model.fit(x / 255.0, y, epochs=4, batch_size=32, verbose=0)
    path = tmp_path_factory.mktemp("model") / "spots.keras"
    model.save(path)
    yield path
    keras.backend.clear_session()
