"""Train from the command line or from Python: one guarded child, one .keras file."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.errors import UsageError
from edgekit.files import atomic_write, scratch_dir
from edgekit.records import from_json, to_json
from edgekit_converters.train.keywords.request import KeywordRequest
from edgekit_converters.train.request import TrainRequest, TrainResult

AnyRequest = TrainRequest | KeywordRequest


def train_file(request: AnyRequest, output: Path) -> TrainResult:
    """Train a model and write it.

    A run that was killed goes on with its last checkpoint when it is asked again in the
    same words; the checkpoint stands beside the output until the end.

    Args:
        request: What is asked.
        output: The .keras file to write; it appears when everything has succeeded.

    Raises:
        UsageError: The request makes no sense.
        InputError: The data or the weights cannot be used.
    """
    if output.suffix != ".keras":
        msg = (
            f"A trained model is written as .keras; found {output}.\nSay -o {output.stem}.keras"
        )
        raise UsageError(msg)
    absolute = request.absolute()
    checkpoint = output.absolute().with_name(f"{output.stem}.{_digest(absolute)}.checkpoint")
    with scratch_dir(output.parent) as folder:
        answer = guard.call(
            "edgekit_converters.train.command:_worker",
            doing=f"training on {Path(request.data).name}",
            request=absolute,
            folder=folder.resolve(),
            checkpoint=checkpoint,
        )
        result = from_json(TrainResult, answer, "the trained model")
        atomic_write(output, (folder / "model.keras").read_bytes())
        picture = None
        if result.picture is not None:
            picture = output.with_suffix(".jpg")
            atomic_write(picture, (folder / result.picture).read_bytes())
        files = tuple(output.with_name(f"{output.stem}.{name}") for name in result.files)
        for name, file in zip(result.files, files, strict=True):
            atomic_write(file, (folder / name).read_bytes())
    checkpoint.unlink(missing_ok=True)
    return dataclasses.replace(
        result,
        path=str(output),
        picture=str(picture) if picture else None,
        files=tuple(map(str, files)),
    )


def _digest(request: AnyRequest) -> str:
    """Name a request, so that only the same one goes on with its checkpoint."""
    text = json.dumps(to_json(request), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _worker(*, request: dict[str, Any], folder: str, checkpoint: str) -> TrainResult:
    """Train inside the guarded child."""
    if request["kind"] == "keywords":
        from edgekit_converters.train.keywords.job import train_keywords

        asked = from_json(KeywordRequest, request, "the request")
        return train_keywords(asked, Path(folder), Path(checkpoint))
    wishes = from_json(TrainRequest, request, "the request")
    if wishes.kind == "detect":
        from edgekit_converters.train.detect.job import train_detector as train
    else:
        from edgekit_converters.train.classify.job import train_classifier as train
    return train(wishes, Path(folder), Path(checkpoint))
