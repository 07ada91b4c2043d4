"""What public logs tell by counts, and what is predicted of the nets they are about."""

from pathlib import Path
from typing import Any

import pytest
from edgetpu_nets import NETS, UNTOLD
from edgetpu_placement import PublicLog, compared, public_logs, unseen

from edgekit.placement.edgetpu.rules import rules


def _log(**wishes: Any) -> PublicLog:
    return PublicLog(net="n", title="a net", source="somewhere", compiler="16.0", **wishes)


def test_every_log_is_of_a_net_that_can_be_built_and_says_where_it_is_from() -> None:
    logs = public_logs()
    assert logs.keys() == NETS.keys()
    assert not logs.keys() & UNTOLD.keys()
    for log in logs.values():
        assert log.source
        assert log.title
        assert log.ops or log.mapped


def test_sources_that_rules_rest_on_can_be_left_out_with_the_log() -> None:
    known = {name for rule in rules().values() for name in rule.seen}
    named = {log.repository for log in public_logs().values()}
    assert named <= known


@pytest.mark.parametrize(
    ("log", "places", "expected"),
    [
        pytest.param(_log(whole=True), ["edgetpu"] * 3, (3, 3, 3, 0), id="all, and said so"),
        pytest.param(_log(whole=True), ["edgetpu", "cpu", "cpu"], (3, 3, 1, 0), id="too wary"),
        pytest.param(
            _log(whole=True), ["edgetpu", "uncertain", "uncertain"], (1, 1, 1, 0), id="doubts"
        ),
        pytest.param(
            _log(mapped={"ADD": 1}, left={"ADD": 2}),
            ["edgetpu", "edgetpu", "cpu"],
            (3, 3, 2, 1),
            id="one promised too many",
        ),
        pytest.param(_log(mapped={"MUL": 1}), ["edgetpu"] * 3, (3, 0, 0, 0), id="not told"),
        pytest.param(None, ["edgetpu"] * 3, (3, 0, 0, 0), id="no log"),
    ],
)
def test_counts_tell_how_many_answers_can_be_right(
    log: PublicLog | None, places: list[str], expected: tuple[int, ...]
) -> None:
    found = compared("n", ["ADD"] * 3, places, log)
    assert (found.answered, found.told, found.right, found.false_edgetpu) == expected


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_nets_of_which_no_file_was_read_are_promised_nothing_wrong(tmp_path: Path) -> None:
    nets = ["squeezenet", "yolo_v3_tiny", "yolo_v8s_start"]
    for rows in unseen(tmp_path, nets).values():
        assert [row.net for row in rows] == nets
        for row in rows:
            assert row.false_edgetpu == 0, row
            assert row.right >= 0.99 * row.told, row
        assert all(row.answered == row.ops for row in rows[:2])
