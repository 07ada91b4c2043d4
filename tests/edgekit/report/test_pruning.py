"""The pruning curve: share removed against metric, size and latency."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from reported import Reader, pruning

from edgekit.report.pruning import removed

Page = Callable[..., Reader]


def test_each_amount_is_a_column_and_a_corner_of_every_curve(page: Page) -> None:
    reader = page(pruning("0.7", 0.3), pruning("0.5", 0.5))
    assert "before0.5: 50 % removed0.7: 70 % removed" in reader.words
    assert "4.0 kB2.0 kB1.2 kB" in reader.words
    assert "90.0 %85.0 %83.0 %" in reader.words
    curves = reader.of("polyline")
    assert len(curves) == 4  # metric, size, its download, latency
    assert {len(each["points"].split()) for each in curves} == {3}


def test_a_single_pruning_is_a_line_from_the_original(page: Page) -> None:
    curves = page(pruning("0.5", 0.5)).of("polyline")
    assert {len(each["points"].split()) for each in curves} == {2}


def test_steps_that_go_on_from_each_other_are_one_curve(page: Page) -> None:
    first = pruning("0.5", 0.5)
    second = pruning("0.7", 0.3, source=first["path"], before=first["after"])
    reader = page(second, first)
    assert "before0.5: 50 % removed0.7: 70 % removed" in reader.words
    assert reader.words.count("cat.keras, channels") == 1


def test_methods_have_curves_of_their_own(page: Page) -> None:
    reader = page(pruning("0.5", 0.5), pruning("0.8", 0.2, method="magnitude"))
    assert "cat.keras, channels" in reader.words
    assert "cat.keras, magnitude" in reader.words


def test_what_a_conversion_pruned_on_its_way_is_shown(page: Page) -> None:
    run = {"artifacts": [], "source": {"file": "dog.keras"}, "pruning": pruning("0.5", 0.5)}
    assert "50 % removed" in page(run).words


def test_models_that_name_each_other_as_source_are_shown(page: Page) -> None:
    reader = page(
        pruning("0.5", 0.5, path="a", source="b"), pruning("0.5", 0.5, path="b", source="a")
    )
    assert reader.open == []


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        pytest.param({"parameters": 10, "nonzero": 10}, {"nonzero": 2}, 0.8, id="zeros"),
        pytest.param({"parameters": 10}, {"parameters": 4}, 0.6, id="channels"),
        pytest.param({"macs": 8}, {"macs": 6}, 0.25, id="multiply-adds"),
        pytest.param({"parameters": 0}, {"parameters": 0}, None, id="nothing to take"),
    ],
)
def test_the_share_removed_is_of_weights(
    before: dict[str, Any], after: dict[str, Any], share: float | None
) -> None:
    assert removed(before, {"after": after}) == (share and pytest.approx(share))


def test_the_keys_are_those_of_the_records_that_prune_prints() -> None:
    records = pytest.importorskip("edgekit_converters.prune.command")
    document = pruning("0.5", 0.5)
    assert document.keys() <= {each.name for each in fields(records.PruneResult)}
    assert document["before"].keys() <= {each.name for each in fields(records.Side)}
