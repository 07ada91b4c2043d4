"""What is promised of the prediction: with sources left out, it keeps to what it knows."""

from pathlib import Path

import pytest
from edgetpu_placement import Case, cases, left_out_in_turn, score

from edgekit.placement.edgetpu.rules import SAFE, rules


@pytest.fixture(scope="module")
def real(data_dir: Path) -> list[Case]:
    return cases(data_dir)


@pytest.mark.data
def test_every_model_is_exact_when_all_are_known(real: list[Case]) -> None:
    found = score("nothing", real, [])
    assert found.graphs == found.exact == len(real) > 20
    assert found.right == found.ops > 900


@pytest.mark.data
@pytest.mark.parametrize("owners", [False, True], ids=["repository", "owner"])
def test_left_out_it_promises_nothing_wrong_and_still_answers(
    real: list[Case], owners: bool
) -> None:
    for found in left_out_in_turn(real, owners=owners):
        assert found.false_edgetpu == 0, found
        assert found.answered >= 0.95 * found.ops, found
        assert found.right >= 0.99 * found.answered, found


@pytest.mark.data
def test_the_page_about_coral_has_these_numbers(real: list[Case]) -> None:
    page = Path(__file__).parents[4] / "docs/coral.md"
    text = page.read_text(encoding="utf-8")
    named = {"all": "each repository in turn", "google-coral": "all of google-coral"}
    owner = left_out_in_turn(real, owners=True)[0]
    for each in (score("nothing", real, []), *left_out_in_turn(real), owner):
        shares = f"{each.answered / each.ops:.3f} | {each.right / each.answered:.3f}"
        counts = f"{each.graphs} | {each.exact} | {each.ops} | {shares} | {each.false_edgetpu}"
        assert f"| {named.get(each.left_out, each.left_out)} | {counts} |" in text


def test_every_size_that_was_seen_has_a_source_and_no_limit_is_below_what_is_safe() -> None:
    for name, rule in rules().items():
        assert rule.limit(rows=True) >= SAFE
        assert rule.limit(rows=False, alone=True) >= rule.limit(rows=False) >= SAFE
        for source, seen in rule.seen.items():
            assert source, name
            assert max(seen.rows, seen.pictures, seen.alone) > 0, name


def test_what_goes_to_the_edge_tpu_is_documented_and_what_does_not_was_seen_refused() -> None:
    assert all(rule.documented for rule in rules().values() if rule.mapped == "yes")
    assert not any(rule.documented for rule in rules().values() if rule.mapped != "yes")
