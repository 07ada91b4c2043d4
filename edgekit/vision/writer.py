"""What a run leaves behind: what was found in each frame, and a film."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.data.opencv import Pixels
from edgekit.data.preprocess import fit
from edgekit.data.video import Recorder
from edgekit.errors import UsageError
from edgekit.files import told
from edgekit.live.closing import Closing
from edgekit.vision.pipeline import Result

USUAL_FPS = 25.0

_SLOWEST, _FASTEST = 1.0, 60.0
_LONGEST_GAP_S = 2.0  # what was longer, as a lost stream, is cut out


def document(result: Result, labels: Sequence[str]) -> dict[str, Any]:
    """Return what was found in a frame as plain JSON values.

    Args:
        result: The frame, what was found, and how long it took.
        labels: Names of the classes.

    Returns:
        `frame`, `t`, `detections: [{label, score, box, id}]` and `ms`; times in
        milliseconds, boxes as [x_min, y_min, x_max, y_max] in pixels of the frame, an `id`
        where there is a tracker.
    """
    found: list[dict[str, Any]] = [
        {
            "label": name(labels, kind),
            "score": round(score, 4),
            "box": [round(side, 2) for side in box.tolist()],
        }
        for box, score, kind in result.detections
    ]
    for each, number in zip(found, result.ids, strict=False):  # none without a tracker
        each["id"] = number
    return {
        "frame": result.frame.index,
        "t": round(result.frame.t, 4),
        "detections": found,
        "ms": {stage: round(ms, 3) for stage, ms in asdict(result.ms).items()},
    }


def name(labels: Sequence[str], kind: int) -> str:
    """Return the name of a class, or its number where it has none.

    >>> name(["ace"], 0), name(["ace"], 7)
    ('ace', 'class 7')
    """
    return labels[kind] if 0 <= kind < len(labels) else f"class {kind}"


class Film(Closing):
    """An mp4 file of the frames, which runs as fast as what was filmed.

    A film has the same time between all frames, and live frames have not: one that came
    late stands longer, as many times as it takes. The file stands at its name only when
    it is whole.

    Args:
        path: The file; one that is there is replaced in the end.
        live: Whether the frames come from a live source, and so at uneven times.

    Raises:
        UsageError: The name is not that of an mp4 file.
        EdgekitError: It cannot be written.
    """

    def __init__(self, path: Path, *, live: bool) -> None:
        if path.suffix.lower() != ".mp4":
            msg = f"A film is written as .mp4; found {path.name}. Use {path.stem}.mp4."
            raise UsageError(msg)
        self._path = path
        self._fps = USUAL_FPS if live else 0.0
        self._first: tuple[float, Pixels] | None = None
        self._recorder: Recorder | None = None
        self._size = (0, 0)
        self._origin = 0.0
        self._written = 0
        with told(f"write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent)
        self._part = Path(self._folder.name) / path.name

    def add(self, t: float, pixels: Pixels) -> None:
        """Add a frame; it is not copied and must stay as it is.

        Args:
            t: When, in seconds; not before the last one.
            pixels: Blue first; of another size than the first frame it is made to fit.

        Raises:
            EdgekitError: The film cannot be written.
        """
        if self._first is None:
            self._first = (t, pixels)
            return
        if self._recorder is None:
            self._begin(t)
        self._write(t, pixels)

    def close(self) -> None:
        """Finish the film; without any frame there is none."""
        try:
            if self._first is not None and self._recorder is None:
                self._begin(self._first[0] + 1 / USUAL_FPS)
            if self._recorder is not None:
                self._recorder.close()
                with told(f"write {self._path}"):
                    self._part.replace(self._path)
        finally:
            self._folder.cleanup()

    def _begin(self, second: float) -> None:
        """Open the file; the second frame says how fast the film runs, if nothing else."""
        if self._first is None:
            return
        t, pixels = self._first
        step = second - t
        self._fps = self._fps or min(max(1 / step if step > 0 else 0, _SLOWEST), _FASTEST)
        self._size = (int(pixels.shape[0]), int(pixels.shape[1]))
        self._recorder = Recorder(self._part, self._size, self._fps)
        self._origin = t
        self._write(t, pixels)

    def _write(self, t: float, pixels: Pixels) -> None:
        """Show a frame until its time: once, more often after a gap, or not at all."""
        if self._recorder is None:
            return
        late = t - self._origin - self._written / self._fps
        if late > _LONGEST_GAP_S:
            self._origin += late
        if pixels.shape[:2] != self._size:
            pixels, _ = fit(pixels, self._size, "letterbox")
        due = round((t - self._origin) * self._fps) + 1
        while self._written < due:
            self._recorder.write(pixels)
            self._written += 1
