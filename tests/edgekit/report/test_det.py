"""The DET curve is a picture that any browser draws, with all that was counted in it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from edgekit.audio.decisions import BACKGROUND, Settings
from edgekit.audio.tuning import Mark, Scored
from edgekit.errors import UsageError
from edgekit.evaluation.evaluate import Evaluation
from edgekit.evaluation.keywords import FalseRejects, Spotting
from edgekit.report.det import draw, need_svg, write_det

WORDS = ("yes", "<no>", "never")
SVG = "{http://www.w3.org/2000/svg}"


def spotting(hours: float = 2.0) -> Spotting:
    """Count random scores; the first two words are said, the third never is."""
    rng = np.random.default_rng(0)
    judge = FalseRejects((*BACKGROUND, *WORDS), Settings())
    times = np.arange(200) / 10
    scores = (rng.random((200, 5)) ** 3).astype(np.float32)
    marks = tuple(Mark(2 * n, 2 * n + 0.5, WORDS[n % 2]) for n in range(8))
    judge.add(Scored(scores, times, 3600 * hours, marks))
    return judge.spotting()


def test_every_word_that_was_said_has_a_curve_a_ring_and_a_name() -> None:
    root = ET.fromstring(draw(spotting(), "m & n.tflite"))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert "m & n.tflite: words missed against false alarms, 2.0 h" in texts
    assert {"yes", "<no>", "false alarms an hour"} <= set(texts)
    assert "never" not in texts
    assert len(list(root.iter(f"{SVG}polyline"))) == 2
    assert len(list(root.iter(f"{SVG}circle"))) == 2


@pytest.mark.parametrize("hours", [0.0, 1e-4, 0.3, 40.0])
def test_all_points_lie_in_the_picture(hours: float) -> None:
    root = ET.fromstring(draw(spotting(hours), "m.tflite"))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for line in root.iter(f"{SVG}polyline"):
        for x, y in (map(float, each.split(",")) for each in line.attrib["points"].split()):
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_the_curve_falls_as_alarms_grow() -> None:
    root = ET.fromstring(draw(spotting(), "m.tflite"))
    for line in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, each.split(","))) for each in line.attrib["points"].split()]
        lower_down = [y for _, y in points]
        assert lower_down == sorted(lower_down)


def evaluation(found: Spotting | None) -> Evaluation:
    return Evaluation(
        model="m.tflite",
        data="a.wav: 1 recording with marks",
        metric="false_rejects",
        value=0.0,
        samples=1,
        skipped=0,
        per_class={},
        per_output={},
        preprocessing=None,
        spotting=found,
    )


def test_the_picture_is_written(tmp_path: Path) -> None:
    write_det(evaluation(spotting()), tmp_path / "det.svg")
    assert (tmp_path / "det.svg").read_text().startswith("<svg")


def test_an_evaluation_of_clips_has_no_curve(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs recordings of a keyword model"):
        write_det(evaluation(None), tmp_path / "det.svg")


def test_another_format_is_refused() -> None:
    need_svg(Path("det.SVG"))
    with pytest.raises(UsageError, match=r"written as SVG; call it det\.svg"):
        need_svg(Path("det.png"))
