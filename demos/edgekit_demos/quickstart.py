"""`edgekit quickstart`: the whole flow on what the package carries, without a network.

1. Draw data: pictures to train on, typical ones to calibrate with, others to judge by.
2. Prune the carried float model to half its multiply-accumulates, and fine-tune it.
3. Convert it for three targets, verified on the pictures to judge by.
4. Evaluate, inspect and profile what came out, and write the report.

Without TensorFlow, as on a device, the carried artifacts take the place of 2 and 3.
"""

import gzip
import importlib.util
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgekit.artifact import read_manifest
from edgekit.cli import tables
from edgekit.cli.common import Document, command
from edgekit.cli.evaluate import show as show_evaluation
from edgekit.cli.inspect import show as show_inspection
from edgekit.cli.profile import show as show_profiles
from edgekit.evaluation.evaluate import evaluate
from edgekit.extras import need
from edgekit.files import atomic_write, told
from edgekit.inspection import inspect
from edgekit.manifest import Manifest
from edgekit.profiling.profile import profile_many
from edgekit.progress import task
from edgekit.records import to_json
from edgekit.report import write_report
from edgekit_demos import shapes
from edgekit_demos.models import model_path

TARGETS = ("raspberry-pi-4", "coral-usb", "android")
INSPECTED = "coral-usb"  # where an operator runs is a question there

# What for -> (number of pictures, seed); no two share a picture, nor one with seeds 1 and 2,
# which the carried model was trained and judged with.
DATA = {"training": (3000, 4), "typical": (200, 3), "judging": (600, 5)}
_log = logging.getLogger(__name__)

AMOUNT, EPOCHS = "macs:0.5", 6

HEAVY = ("tensorflow", "keras", "tf_keras", "ai_edge_quantizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quickstart:
    """What the tour made.

    Attributes:
        artifacts: One for each target, as `convert` prints them.
        report: The HTML page.
        pruning: As `prune` prints it; None if that was left out.
        evaluation: As `evaluate` prints it, of the first artifact.
        profiles: As `profile` prints them, of each artifact.
        left_out: Steps that need what is not installed.
        seconds: Wall time of the whole.
    """

    artifacts: tuple[Document, ...]
    report: str
    pruning: Document | None
    evaluation: Document
    profiles: tuple[Document, ...]
    left_out: tuple[str, ...]
    seconds: float


def _summary(found: Document) -> None:
    """End with the way on; the tables were shown on the way."""
    tables.line()
    tables.line(f"Done in {found['seconds']:.0f} s. Open {found['report']} in a browser.")
    tables.line("Your own model: edgekit convert MODEL --target T --calibrate DATA -o out/")


@command(_summary)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("quickstart"),
    show_default=True,
    help="Folder to write into.",
)
def quickstart(output: Path) -> Quickstart:
    """Go through the whole flow in a few minutes: prune, convert, evaluate, profile, report.

    The data are drawn on the spot, the model is carried: nothing is downloaded. On a
    machine without TensorFlow, such as a device, carried artifacts are evaluated,
    inspected and profiled.

    \b
    Examples:
      edgekit quickstart
      edgekit quickstart -o tour/ --json | jq '.artifacts[].path'
    """
    context = click.get_current_context(silent=True)
    as_json = bool(context and context.params.get("as_json"))
    return Tour(output, loud=not as_json).all()


class Tour:
    """The steps, each shown when it is done.

    Args:
        folder: Where everything is written.
        loud: Whether to show tables.
    """

    def __init__(self, folder: Path, *, loud: bool) -> None:
        self._folder = folder
        self._loud = loud
        self._count = 0
        self._records: list[Path] = []

    def all(self) -> Quickstart:
        """Do every step that this machine can."""
        start = time.monotonic()
        data = self._draw()
        pruning: Document | None = None
        missing = [name for name in HEAVY if importlib.util.find_spec(name) is None]
        if missing:
            _log.warning(
                "Left out: pruning and conversion, which need %s.\n"
                "For these: pip install 'edgekit[convert]'",
                ", ".join(missing),
            )
            artifacts = self._carried(data["judging"])
        else:
            pruning = self._prune(data)
            artifacts = self._convert(Path(pruning["path"]), data)
        evaluation = self._evaluate(artifacts, data["judging"])
        self._inspect(artifacts)
        profiles = self._profile(artifacts)
        report = write_report(self._records, self._folder / "report.html")
        why = f"needs {', '.join(missing)}, not installed here"
        return Quickstart(
            artifacts=artifacts,
            report=report.path,
            pruning=pruning,
            evaluation=evaluation,
            profiles=profiles,
            left_out=(f"pruning ({why})", f"conversion ({why})") if missing else (),
            seconds=round(time.monotonic() - start, 1),
        )

    def _draw(self) -> dict[str, Path]:
        self._title("Draw pictures of shapes to work with")
        files = {name: self._folder / f"{name}.npz" for name in DATA}
        total = sum(count for count, _ in DATA.values())
        with task("Drawing pictures", total, "picture") as advance:
            for name, path in files.items():
                count, seed = DATA[name]
                shapes.write_npz(path, count, seed)
                advance(count)
        rows = [(path.name, DATA[name][0], _USES[name]) for name, path in files.items()]
        if self._loud:
            tables.table(["file", "pictures", "used to"], rows, numbers=["pictures"])
        return files

    def _prune(self, data: dict[str, Path]) -> Document:
        self._title(f"Prune the carried model to half its work, fine-tune {EPOCHS} epochs")
        pruning = need("edgekit_converters.prune.command", "prune models")
        request = pruning.PruneRequest(
            model=str(model_path("shapes")),
            amount=AMOUNT,
            data=str(data["training"]),
            epochs=EPOCHS,
            distill=True,
            evaluate=str(data["judging"]),
        )
        found = pruning.prune_file(request, self._folder / "shapes.keras")
        show = need("edgekit_converters.cli.prune", "show the pruned model").show
        return self._shown(found, show, record="prune")

    def _convert(self, model: Path, data: dict[str, Path]) -> tuple[Document, ...]:
        self._title("Convert it for three targets, and verify each artifact")
        api = need("edgekit_converters.api", "convert models")
        found = api.convert(
            model,
            self._folder,
            targets=TARGETS,
            calibrate=str(data["typical"]),
            evaluate=str(data["judging"]),
        )
        show = need("edgekit_converters.cli.tables", "show the artifacts").show_conversion
        document = self._shown(found, show)
        self._records.insert(0, self._folder / "run.json")
        return tuple(document["artifacts"])

    def _carried(self, judging: Path) -> tuple[Document, ...]:
        self._title("Take the artifacts that edgekit carries")
        artifacts = []
        for target in TARGETS:
            path = self._folder / f"shapes.{target}.tflite"
            with told(f"write {path}"):
                shutil.copyfile(model_path(path.stem), path)
            artifacts.append(_artifact(path, target, judging))
        rows = [
            (each["target"], each["scheme"], tables.size(each["bytes"])) for each in artifacts
        ]
        if self._loud:
            tables.table(["target", "scheme", "size"], rows, numbers=["size"])
        self._record("run", {"artifacts": artifacts})
        return tuple(artifacts)

    def _evaluate(self, artifacts: tuple[Document, ...], judging: Path) -> Document:
        self._title(f"Evaluate the artifact for {artifacts[0]['target']}")
        found = evaluate(artifacts[0]["path"], judging)
        return self._shown(found, show_evaluation, record="evaluate")

    def _inspect(self, artifacts: tuple[Document, ...]) -> None:
        self._title(f"Inspect the artifact for {INSPECTED}: what runs where")
        (path,) = (each["path"] for each in artifacts if each["target"] == INSPECTED)
        self._shown(inspect(path, target=INSPECTED), show_inspection)

    def _profile(self, artifacts: tuple[Document, ...]) -> tuple[Document, ...]:
        self._title("Profile all of them on this machine")
        found = profile_many([each["path"] for each in artifacts])
        document = self._shown({"profiles": found}, show_profiles, record="profile")
        return tuple(document["profiles"])

    def _title(self, text: str) -> None:
        self._count += 1
        if self._loud:
            tables.line(f"{chr(10) if self._count > 1 else ''}{self._count}. {text}")
            tables.line()

    def _shown(
        self, found: Any, show: Callable[[Document], None], *, record: str | None = None
    ) -> Document:
        """Show a result with the renderer of its command, and keep it for the report."""
        document: Document = to_json(found)
        if self._loud:
            show(document)
        if record is not None:
            self._record(record, document)
        return document

    def _record(self, name: str, document: Document) -> None:
        path = self._folder / f"{name}.json"
        atomic_write(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        self._records.append(path)


_USES = {
    "training": "fine-tune the pruned model",
    "typical": "calibrate: find the ranges of all values",
    "judging": "evaluate: no step learns from these",
}


def _artifact(path: Path, target: str, judging: Path) -> Document:
    """Describe a carried artifact as `convert` describes one that it made."""
    manifest = read_manifest(path) or Manifest()
    verified = manifest.evidence.get("verify", {})
    found, size = evaluate(path, judging), path.stat().st_size
    content = inspect(path)
    return {
        "path": str(path),
        "target": target,
        "scheme": manifest.scheme,
        "io": content.inputs[0].dtype,
        "bytes": size,
        "gzip_bytes": len(gzip.compress(path.read_bytes(), mtime=0)),
        "fully_integer": content.fully_integer,
        "float": None,  # the float model runs only where TensorFlow is
        "quantized": {"metric": found.metric, "value": found.value},
        "drop": None,
        "agreement": verified.get("agreement"),
        "sqnr_db": verified.get("sqnr_db", {}),
        "warnings": [],
        "rejected": False,
    }
