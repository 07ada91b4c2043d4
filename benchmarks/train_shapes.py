"""Train the float model that edgekit carries for `edgekit quickstart`.

Run it as `python benchmarks/train_shapes.py demos/edgekit_demos/models/shapes.keras`; it
takes about seven minutes on two idle cores and prints the accuracy on pictures that training
never saw. The script stands here and not beside the model because the demos package
must work, and be installed, without Keras.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import write_keras_manifest
from edgekit.manifest import Manifest, Output, Preprocessing
from edgekit_demos import shapes

TRAIN_SEED, HELD_OUT_SEED = 1, 2
HELD_OUT = 2000


def build() -> Any:
    """Build the network: plain, residual and depthwise blocks, 32 thousand parameters."""
    inputs = keras.Input((shapes.SIZE, shapes.SIZE, 3), name="image")
    x = conv(inputs, 16, 3, strides=2, name="stem")
    x = separable(x, 32, name="wide")
    x = conv(x, 24, 3, strides=2, name="down")
    shortcut = x
    x = conv(x, 24, 3, name="residual_a")
    x = conv(x, 24, 3, name="residual_b", activation=None)
    x = keras.layers.Add(name="residual_add")([x, shortcut])
    x = keras.layers.ReLU(name="residual_relu")(x)
    x = separable(x, 64, strides=2, name="deep_a")
    shortcut = x
    x = separable(x, 64, name="deep_b", activation=None)
    x = keras.layers.Add(name="deep_add")([x, shortcut])
    x = keras.layers.ReLU(name="deep_relu")(x)
    x = separable(x, 64, strides=2, name="deep_c")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(len(shapes.CLASSES), activation="softmax", name="shape")(x)
    return keras.Model(inputs, x, name="shapes")


def conv(
    x: Any,
    filters: int,
    size: int,
    *,
    name: str,
    strides: int = 1,
    activation: str | None = "relu",
) -> Any:
    """Convolution, BatchNorm and activation."""
    x = keras.layers.Conv2D(
        filters, size, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if activation else x


def separable(
    x: Any, filters: int, *, name: str, strides: int = 1, activation: str | None = "relu"
) -> Any:
    """Depthwise and pointwise convolution, each with BatchNorm and activation."""
    x = keras.layers.DepthwiseConv2D(
        3, strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = keras.layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
    x = keras.layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return conv(x, filters, 1, name=name, activation=activation)


def pictures(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw pictures and preprocess them as the manifest says: 0..255 becomes 0..1."""
    x, y = shapes.draw(n, seed)
    return x.astype(np.float32) / np.float32(255), y


def train(model: Any, n: int, epochs: int, checkpoint: Path, seed: int) -> None:
    """Train with Adam, a cosine schedule and random quarter turns and mirrors."""
    keras.utils.set_random_seed(seed)
    x, y = pictures(n, TRAIN_SEED)
    batch = 64
    steps = n // batch
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, epochs * steps, warmup_target=3e-3, warmup_steps=steps
    )
    model.compile(
        keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        Turned(x, y, batch, seed),
        epochs=epochs,
        verbose=2,
        callbacks=[keras.callbacks.ModelCheckpoint(str(checkpoint))],
    )


class Turned(keras.utils.PyDataset):  # type: ignore[misc] # keras has no types
    """Batches whose pictures are turned by quarters and mirrored at random."""

    def __init__(
        self, x: NDArray[np.float32], y: NDArray[np.int64], batch: int, seed: int
    ) -> None:
        super().__init__()
        self._x, self._y, self._batch = x, y, batch
        self._rng = np.random.default_rng(seed)
        self._order = self._rng.permutation(len(x))

    def __len__(self) -> int:
        return len(self._x) // self._batch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen = self._order[index * self._batch : (index + 1) * self._batch]
        x = np.rot90(self._x[chosen], int(self._rng.integers(4)), axes=(1, 2))
        return np.ascontiguousarray(x[:, ::-1] if self._rng.integers(2) else x), self._y[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self._order = self._rng.permutation(len(self._x))


def accuracy(model: Any) -> float:
    """Share of the held-out pictures that the model names right."""
    x, y = pictures(HELD_OUT, HELD_OUT_SEED)
    return float(np.mean(model.predict(x, verbose=0).argmax(axis=1) == y))


def save(model: Any, path: Path) -> None:
    """Write the model without its optimizer, with its manifest inside."""
    keras.Model(model.inputs, model.outputs, name="shapes").save(path)
    write_keras_manifest(
        path,
        Manifest(
            name="shapes",
            task="classify",
            labels=shapes.CLASSES,
            preprocessing=Preprocessing.from_range(0.0, 1.0),
            outputs=(Output(name="shape", role="probabilities"),),
        ),
    )


def main() -> None:
    """Train, save and print what came out as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=18000)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    model = build()
    checkpoint = options.output.with_suffix(".checkpoint.keras")
    train(model, options.pictures, options.epochs, checkpoint, options.seed)
    save(model, options.output)
    checkpoint.unlink(missing_ok=True)
    result = {
        "parameters": model.count_params(),
        "bytes": options.output.stat().st_size,
        "accuracy": accuracy(model),
        "held_out": HELD_OUT,
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
