"""What the fuzz tests run in child processes: many cases in each, the outcomes in a file."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import mutations

from edgekit import guarded, runtime


def probe_each(paths: list[str], log: str) -> None:
    """Load each .tflite as a user does and run it once."""
    import numpy as np

    def run(path: str) -> None:
        model = runtime.load(path)
        model({each.name: np.zeros(each.shape, np.float32) for each in model.inputs})

    _try_each(run, paths, log, limit_s=60)


def import_each(paths: list[str], log: str) -> None:
    """Import each model file."""
    from edgekit_converters.sources import load_source

    _try_each(load_source, paths, log, limit_s=120)


def watch_each(paths: list[str], log: str) -> None:
    """Open each film or picture as a source and look at its frames."""
    from edgekit.vision.sources import open_source

    def watch(path: str) -> None:
        with open_source(path) as source:
            for frame in itertools.islice(source.frames(), 100):
                assert min(frame.size) > 0

    _try_each(watch, paths, log, limit_s=60)


def _try_each(
    function: Callable[[str], object], paths: list[str], log: str, limit_s: float
) -> None:
    """Write down each case before it begins, as it may take this process along."""
    for path in paths:
        _note(log, begun=path)
        ended: list[str] = []
        with guarded.if_it_dies(f"The case was {path}."):
            complaint = mutations.complaint(
                lambda path=path, ended=ended: (function(path), ended.append("fine")),  # type: ignore[misc] # defaults bind the names
                limit_s,
            )
        _note(log, path=path, complaint=complaint, outcome=ended[0] if ended else "refused")


def _note(log: str, **what: str) -> None:
    with Path(log).open("a") as file:
        file.write(json.dumps(what) + "\n")


def write_keras_models(folder: str) -> list[str]:
    """Write a small model as .keras, and as .h5 by Keras 3 and by Keras 2."""
    import keras
    import tf_keras

    paths = []
    for library, suffix in ((keras, "keras"), (keras, "h5"), (tf_keras, "h5")):
        layers = library.layers
        model = library.Sequential(
            [
                layers.Input((8, 8, 3)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.DepthwiseConv2D(3),
                layers.BatchNormalization(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        path = Path(folder, f"{library.__name__}.{suffix}")
        model.save(path)
        paths.append(str(path))
    return paths
