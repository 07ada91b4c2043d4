"""Claim: activations that the Edge TPU lacks can be written anew at little cost.

Two nets are trained on small photographs: MobileNetV3-small, whose HARD_SWISHes the Edge TPU
leaves on the CPU, and a net with LeakyReLU. Each is converted to int8 as it is, and fitted to
a Coral by operators that compute the same (`export/fitting/activations.py`). Beside it
stands the net with ReLU in their place (`edgekit prune --method activations`): as it is, and
fine-tuned. The original gets the same epochs more, so that these alone explain nothing.

    python benchmarks/activations.py [WORK] [--seeds N] [--json FILE]

The folder that EDGEKIT_DATA names has `classification/cifar10/train`; one of five pictures of
each class is held out. Every net is kept in WORK: a run that was stopped goes on.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flowers import interval, write_files
from numpy.typing import NDArray

from edgekit.data import Dataset, open_dataset
from edgekit.data.images import read_image
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Preprocessing
from edgekit.placement import place
from edgekit.runtime import load
from edgekit.targets import load_target
from edgekit_converters.export.fitting import fit
from edgekit_converters.prune import prune
from edgekit_converters.prune.training import lesson
from edgekit_converters.sources.libraries import keras

PICTURES = "classification/cifar10/train"
SIZE = 32
SHAPE = (SIZE, SIZE, 3)
TARGET = "coral-usb"
EPOCHS, MORE = 25, 8
RATE = 2e-3
MOMENTUM = 0.9
HELD = 5  # one of so many is held out
TYPICAL = 100  # pictures to calibrate on

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One form of one net.

    Attributes:
        net: Which net.
        form: What was done to it.
        kind: `float` or `int8`.
        accuracy: Share of the pictures held out that it has right, by seed.
        left: Operators that the Edge TPU is predicted to leave to the CPU.
        ops: All operators.
    """

    net: str
    form: str
    kind: str
    accuracy: tuple[float, ...]
    left: int
    ops: int


def mobilenet(classes: int) -> Any:
    """MobileNetV3-small as Keras has it."""
    return keras().applications.MobileNetV3Small(
        input_shape=SHAPE,
        weights=None,
        classes=classes,
        include_preprocessing=False,
        dropout_rate=0.2,
    )


def leaky(classes: int) -> Any:
    """Convolutions with LeakyReLU, as detectors of the YOLO family had them."""
    layers = keras().layers
    x = image = layers.Input(SHAPE, name="image")
    for channels in (16, 32, 64, 96):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(0.1)(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras().Model(image, layers.Dense(classes, activation="softmax")(x), name="leaky")


NETS: dict[str, Callable[[int], Any]] = {"MobileNetV3-small": mobilenet, "LeakyReLU": leaky}


class School:
    """One split of the pictures, and the nets that are made with it.

    Args:
        work: Working folder.
        seed: Which split, and the order of the pictures.
    """

    def __init__(self, work: Path, seed: int) -> None:
        self._work, self._seed = work / f"seed-{seed}", seed
        self._work.mkdir(parents=True, exist_ok=True)
        x, y, self._labels = pictures(work)
        held = np.arange(len(y)) % HELD == seed % HELD
        np.savez(self._work / "train.npz", x=x[~held], y=y[~held])
        self._held, self._classes = _real(x[held]), y[held]
        self._typical = _real(x[~held][:: len(x) // TYPICAL])

    def net(self, name: str, build: Callable[[int], Any]) -> Any:
        """Train a net, or load it."""

        def taught() -> Any:
            keras().utils.set_random_seed(self._seed)
            model = build(len(self._labels))
            self._teach(model, EPOCHS)
            return model

        return self.kept(name, taught)

    def more(self, name: str, model: Any) -> Any:
        """Teach a copy of a net for a few epochs more."""

        def taught() -> Any:
            copy = keras().models.clone_model(model)
            copy.set_weights(model.get_weights())
            self._teach(copy, MORE)
            return copy

        return self.kept(name, taught)

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Load a net of this split, or make it."""
        path = self._work / f"{name}.keras"
        if not path.exists():
            partial = path.with_name(f"partial-{path.name}")
            make().save(partial)
            partial.rename(path)
        return keras().saving.load_model(path, compile=False)

    def files(self, name: str, model: Any) -> dict[str, Path]:
        """Write the float and the int8 file of a net."""
        paths = {kind: self._work / f"{name}.{kind}.tflite" for kind in ("float", "int8")}
        if not all(path.exists() for path in paths.values()):
            write_files(model, paths, lambda: self._batches(model))
        return paths

    def fitted(self, path: Path) -> Path:
        """Write what the Edge TPU lacks with what it has."""
        probe = self._work / "probe.npz"
        graph = Graph(path)
        name = graph.main.tensors[graph.main.inputs[0]].name
        given: dict[str, Any] = {name: self._typical[:8]}
        np.savez(probe, **given)
        content, done = fit(path.read_bytes(), load_target(TARGET), probe, self._work)
        if not done:
            msg = f"{path} has nothing to write anew."
            raise RuntimeError(msg)
        result = path.with_suffix(".fitted.tflite")
        result.write_bytes(content)
        return result

    def accuracy(self, path: Path) -> float:
        """Share of the pictures held out that a file has right."""
        scores = np.asarray(load(path, probe=False)(self._held))
        return float(np.mean(scores.argmax(-1) == self._classes))

    def _teach(self, model: Any, epochs: int) -> None:
        """Train as `edgekit prune` does, but not compiled ahead: that takes longer here."""
        rate = RATE if epochs == EPOCHS else RATE / 2
        for layer in model.layers:
            if isinstance(layer, keras().layers.BatchNormalization):
                layer.momentum = MOMENTUM  # the statistics have few steps to settle
        with lesson(model, self._training(model), seed=self._seed, augment=True) as taught:
            steps = epochs * len(taught.batches)
            falling = keras().optimizers.schedules.CosineDecay(rate, steps)
            adam = keras().optimizers.Adam(falling)
            model.compile(adam, loss=taught.loss, jit_compile=False)
            model.fit(taught.batches, epochs=epochs, verbose=0)
        model.optimizer, model.compiled = None, False

    def _training(self, model: Any) -> Dataset:
        return open_dataset(
            self._work / "train.npz",
            shapes={model.inputs[0].name: SHAPE},
            preprocessing=Preprocessing.from_range(-1.0, 1.0),
            labelled=True,
            labels=self._labels,
        )

    def _batches(self, model: Any) -> Iterator[dict[str, Any]]:
        for picture in self._typical:
            yield {model.inputs[0].name: picture[None]}


def pictures(work: Path) -> tuple[Array, Array, list[str]]:
    """Read all photographs, enlarged, as uint8; kept in a file."""
    folder = Path(os.environ["EDGEKIT_DATA"]) / PICTURES
    labels = sorted(each.name for each in folder.iterdir() if each.is_dir())
    path = work / f"pictures-{SIZE}.npz"
    if not path.exists():
        files = [
            (file, label)
            for label, name in enumerate(labels)
            for file in sorted((folder / name).iterdir())
        ]
        x = np.stack([cv2.resize(read_image(file), (SIZE, SIZE)) for file, _ in files])
        np.savez(path, x=x, y=np.array([label for _, label in files]))
    with np.load(path) as stored:
        return stored["x"], stored["y"], labels


def _real(x: Array) -> Array:
    """Scale pixels as the nets take them."""
    return np.asarray(x / 127.5 - 1, np.float32)


def forms(school: School, name: str) -> dict[tuple[str, str], Path]:
    """Make every form of a net; returns files by form and kind."""
    original = school.net(name, NETS[name])
    plain = prune(original, "activations").model
    nets = {
        "as trained": (name, original),
        f"{MORE} epochs more": (f"{name}-more", school.more(f"{name}-more", original)),
        "with ReLU": (f"{name}-relu", plain),
        f"with ReLU, {MORE} epochs more": (
            f"{name}-relu-more",
            school.more(f"{name}-relu-more", plain),
        ),
    }
    found: dict[tuple[str, str], Path] = {}
    for form, (file, model) in nets.items():
        paths = school.files(file, model)
        found |= {(form, kind): path for kind, path in paths.items()}
        if "ReLU" not in form:
            found[f"{form}, written anew", "int8"] = school.fitted(paths["int8"])
    return found


def rows(schools: Sequence[School], name: str) -> list[Row]:
    """Measure every form of a net."""
    made = [forms(each, name) for each in schools]
    found = []
    for form, kind in made[0]:
        paths = [each[form, kind] for each in made]
        scores = [one.accuracy(path) for one, path in zip(schools, paths, strict=True)]
        places = place(Graph(paths[0]), load_target(TARGET))
        left = sum(each.placement != "edgetpu" for each in places)
        found.append(
            Row(
                net=name,
                form=form,
                kind=kind,
                accuracy=tuple(scores),
                left=left,
                ops=len(places),
            )
        )
    return found


def _show(found: Sequence[Row]) -> None:
    print(f"\n{'net and form':<52}{'kind':<7}{'accuracy':>9}{'95 %':>16}{'on CPU':>12}")
    for row in found:
        mean, low, high = interval(row.accuracy)
        left = f"{row.left} of {row.ops}" if row.kind == "int8" else ""
        between = f"{low:.3f} - {high:.3f}" if len(row.accuracy) > 1 else ""
        named = f"{row.net}, {row.form}"
        print(f"{named:<52}{row.kind:<7}{mean:>9.3f}{between:>16}{left:>12}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", nargs="?", type=Path, default=Path("activations"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    wish.work.mkdir(parents=True, exist_ok=True)
    schools = [School(wish.work, seed) for seed in range(wish.seeds)]
    found = [row for name in NETS for row in rows(schools, name)]
    _show(found)
    if wish.json:
        text = json.dumps([asdict(row) for row in found], indent=2)
        wish.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
