"""Claim: a detector trained with one command finds what it was shown, also in int8.

    python benchmarks/detection.py --work WORK [--sets cards bccd] [--epochs N] [--json FILE]

Playing cards, taught to MobileNetV1 at a quarter of its width that begins with the weights of
a classifier (ImageNet), 320 x 320 pixels. Judged on a fifth of the photographs, whole
shootings held out; one of all is left away, whose label is wrong. Then converted for a
Raspberry Pi 4, calibrated on photographs that it was trained on:

* mAP at an overlap of 0.5 >= 0.95, mAP of 0.5 to 0.95 >= 0.75;
* both in int8 within a point, in a file of at most 500 kB, trained within 20 minutes;
* something found, at the model's own threshold, in at most 2 % of photographs of flowers and
  of blood cells, in which there are no cards.

Blood cells (BCCD), judged on its own test set: mAP at an overlap of 0.5 >= 0.80.

Models are kept in the working folder: what is there is judged, not trained again, and
training that was stopped goes on. Training takes all processors, and its time counts on an
idle machine only: see `load`. Needs EDGEKIT_DATA. Prints JSON, exit code 1 if a claim does
not hold.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.artifact import read_manifest
from edgekit.data.annotations import Annotated, open_annotations
from edgekit.data.find import files_below
from edgekit.data.images import SUFFIXES, read_image
from edgekit.evaluation.evaluate import Evaluation, evaluate
from edgekit.files import atomic_write
from edgekit.measure import machine
from edgekit.records import to_json
from edgekit.vision.detector import open_detector
from edgekit_converters.pipeline import convert
from edgekit_converters.recipe import Recipe
from edgekit_converters.train.command import train_file
from edgekit_converters.train.request import TrainRequest

SCHEMA = 1
TARGET = "raspberry-pi-4"
WEIGHTS = (
    "models/keras/st_modelzoo/image_classification/pretrained_models/mobilenetv1/"
    "Public_pretrainedmodel_public_dataset/ImageNet/mobilenet_v1_0.25_224/"
    "mobilenet_v1_0.25_224.h5"
)
TYPICAL = 200  # photographs to calibrate on
MOST_DROP, MOST_BYTES, MOST_SECONDS, MOST_ALARMS = 0.01, 500_000, 1200.0, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is taught and what is claimed of it.

    Attributes:
        data: The annotated pictures, below the data folder.
        least: Lowest value of each metric.
        epochs: Times through the data.
        wishes: More of the request.
        empty: Folders of photographs without such objects.
    """

    data: str
    least: dict[str, float]
    epochs: int
    wishes: dict[str, Any] = field(default_factory=dict)
    empty: tuple[str, ...] = ()


TASKS = {
    "cards": Task(
        data="detection/playing-cards",
        least={"map50": 0.95, "map": 0.75},
        epochs=200,
        wishes={"skip": ("IMG_2396",), "turn": True, "batch": 8},
        empty=("classification/flowers", "detection/bccd"),
    ),
    "bccd": Task(
        data="detection/bccd",
        least={"map50": 0.80},
        epochs=80,
        wishes={"mirror": True, "turn": True, "batch": 8},
    ),
}


def examine(name: str, task: Task, folder: Path, work: Path, wishes: dict[str, Any]) -> Any:
    """Train unless that was done, convert, and judge both models on the same pictures."""
    model = work / f"{name}.keras"
    if not model.exists():
        request = TrainRequest(
            kind="detect",
            data=str(folder / task.data),
            weights=str(folder / WEIGHTS),
            **{"epochs": task.epochs, **task.wishes, **wishes},
        )
        train_file(request, model)
    training = said(model)
    held, typical = sides(folder / task.data, training["held_out"], work / name)
    artifact = work / "out" / f"{name}.{TARGET}.tflite"
    if not artifact.exists():
        recipe = Recipe(model=str(model), targets=(TARGET,), calibrate=str(typical))
        made = convert(recipe, work / "out").artifacts[0]
        artifact = Path(str(made.path))
    before, after = (metrics(evaluate(each, held)) for each in (model, artifact))
    return {
        "keras": before,
        "int8": after,
        "bytes": artifact.stat().st_size,
        "held_out": len(training["held_out"]),
        "trained_on": training["trained_on"],
        "epochs": training["epochs"],
        "seconds": training["seconds"],
        "seconds_an_epoch": round(training["seconds"] / training["epochs"], 2),
        "false_alarms": {each: alarms(artifact, folder / each) for each in task.empty},
    }


def said(model: Path) -> dict[str, Any]:
    """Read what a trained model says about its training."""
    manifest = read_manifest(model)
    if manifest is None:
        sys.exit(f"{model} carries no manifest; remove it.")
    training: dict[str, Any] = manifest.evidence["train"]
    return training


def sides(data: Path, held_out: Sequence[str], work: Path) -> tuple[Path, Path]:
    """Write the pictures that were held out with their boxes, and some others without."""
    found = open_annotations(data)
    held = [item for item in found.items if item.name in set(held_out)]
    rest = [item for item in found.items if item.name not in set(held_out)]
    shutil.rmtree(work, ignore_errors=True)
    write_coco(held, found.labels, work / "held-out")
    (work / "typical").mkdir()
    for item in rest[:: max(1, len(rest) // TYPICAL)]:
        shutil.copy(item.path, work / "typical" / item.path.name)
    return work / "held-out", work / "typical"


def write_coco(items: Iterable[Annotated], labels: Sequence[str], folder: Path) -> None:
    """Write annotated pictures in the format of COCO."""
    folder.mkdir(parents=True)
    images, boxes = [], []
    for number, item in enumerate(items):
        file = f"{number}{item.path.suffix}"
        shutil.copy(item.path, folder / file)
        images.append({"id": number, "file_name": file})
        for box, kind, crowd in zip(
            item.boxes.tolist(), item.classes.tolist(), item.crowd.tolist(), strict=True
        ):
            x, y, right, bottom = box
            boxes.append(
                {
                    "image_id": number,
                    "category_id": kind,
                    "bbox": [x, y, right - x, bottom - y],
                    "iscrowd": int(crowd),
                }
            )
    names = [{"id": number, "name": name} for number, name in enumerate(labels)]
    record = {"images": images, "annotations": boxes, "categories": names}
    (folder / "annotations.json").write_text(json.dumps(record))


def metrics(found: Evaluation) -> dict[str, Any]:
    """Name the metrics of an evaluation."""
    return {
        found.metric: found.value,
        **found.others,
        "per_class": found.per_class,
        "samples": found.samples,
    }


def alarms(model: Path, pictures: Path) -> dict[str, Any]:
    """Look for objects in photographs without any, at the model's own threshold."""
    detector = open_detector(model, probe=False)
    files = files_below(pictures, SUFFIXES)
    wrong = {}
    for file in files:
        found = detector(read_image(file))
        if len(found):
            wrong[file.name] = round(float(found.scores[0]), 3)
    return {
        "photographs": len(files),
        "with_alarm": len(wrong),
        "share": round(len(wrong) / len(files), 4),
        "threshold": detector.threshold,
        "worst": dict(sorted(wrong.items(), key=lambda each: -each[1])[:10]),
    }


def misses(name: str, task: Task, found: dict[str, Any]) -> list[str]:
    """Tell which claims do not hold."""
    before, after = found["keras"], found["int8"]
    wrong = [
        f"{name}: {kind} {metric} is {side[metric]:.3f}, below {least}"
        for metric, least in task.least.items()
        for kind, side in (("float", before), ("int8", after))
        if side[metric] < least - (MOST_DROP if kind == "int8" else 0)
    ]
    wrong += [
        f"{name}: int8 loses {before[metric] - after[metric]:.3f} of {metric}"
        for metric in task.least
        if before[metric] - after[metric] > MOST_DROP
    ]
    limits = (("bytes", MOST_BYTES), ("seconds", MOST_SECONDS))
    wrong += [
        f"{name}: {found[key]} {key}, above {most:g}"
        for key, most in limits
        if found[key] > most
    ]
    wrong += [
        f"{name}: something is found in {each['share']:.1%} of {where}"
        for where, each in found["false_alarms"].items()
        if each["share"] > MOST_ALARMS
    ]
    return wrong


def main() -> None:
    """Examine the sets and judge the claims."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="working folder, kept")
    parser.add_argument("--sets", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--epochs", type=int, help="other than those of the claim")
    parser.add_argument("--background", help="photographs without objects to train with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the result there, too")
    given = parser.parse_args()
    if "EDGEKIT_DATA" not in os.environ:
        sys.exit("Set EDGEKIT_DATA to the folder with real models and data.")
    folder = Path(os.environ["EDGEKIT_DATA"])
    wishes = {"epochs": given.epochs, "background": given.background}
    chosen = {name: value for name, value in wishes.items() if value is not None}
    load = os.getloadavg()[0]
    results = {
        name: examine(name, TASKS[name], folder, given.work, {"seed": given.seed, **chosen})
        for name in given.sets
    }
    wrong = [text for name in given.sets for text in misses(name, TASKS[name], results[name])]
    told = {
        "schema": SCHEMA,
        "sets": results,
        "misses": wrong,
        "load": load,
        "machine": to_json(machine()),
    }
    text = json.dumps(told, indent=2)
    print(text)
    if given.json:
        atomic_write(given.json, text + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
