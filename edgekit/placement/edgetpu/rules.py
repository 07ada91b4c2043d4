"""The rules of the Edge TPU compiler as data, each with the sources that support it."""

import functools
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edgekit.records import from_json, read_toml

SAFE = 65_536  # elements; no operator of the table is known to be refused for this size


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The largest tensors of an operator that one source shows on the Edge TPU.

    Attributes:
        rows: Most elements of a tensor without height, e.g. of shape (1, 1917, 91).
        pictures: Most elements of a tensor with height and width.
        alone: The same where no other tensor has to be kept meanwhile.
    """

    rows: int = 0
    pictures: int = 0
    alone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the compiler does with one operator.

    Attributes:
        mapped: Whether it goes to the Edge TPU at all.
        evidence: How that is known.
        documented: Whether it stands in the published operator table.
        sized: Which large tensors make it uncertain: none, rows alone, or pictures too.
        checks: Names in `checks.CHECKS` that it must pass.
        seen: Largest tensors on the Edge TPU by source: a repository with compiled
            files, or an issue.
        learned: Checks that only these repositories support, by name.
        settled: Checks that ask what these repositories answer, by name: with one of them
            known they are not asked.
    """

    mapped: Literal["yes", "no", "uncertain"]
    evidence: str
    documented: bool = False
    sized: Literal["no", "rows", "all"] = "no"
    checks: tuple[str, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict)
    learned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    settled: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def limit(self, *, rows: bool, alone: bool = False) -> int:
        """Most elements of a tensor that are known to be taken."""
        found = [SAFE]
        for each in self.seen.values():
            pictures = max(each.pictures, each.alone if alone else 0)
            found.append(each.rows if rows else pictures)
        return max(found)

    def without(self, sources: Collection[str]) -> "Rule":
        """The rule as it were if some sources had never been read."""
        return replace(
            self,
            mapped="uncertain" if self._rests_on(sources) else self.mapped,
            seen={name: each for name, each in self.seen.items() if name not in sources},
            learned=_left(self.learned, sources),
            settled=_left(self.settled, sources),
        )

    def _rests_on(self, sources: Collection[str]) -> bool:
        """Whether nothing but these sources shows the operator on the Edge TPU."""
        left = self.seen.keys() - set(sources)
        return self.mapped == "yes" and not self.documented and not left


def _left(
    known: dict[str, tuple[str, ...]], sources: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Sources by check, without some of them."""
    return {
        check: tuple(name for name in names if name not in sources)
        for check, names in known.items()
    }


Rules = dict[str, Rule]


@functools.cache
def rules() -> Rules:
    """All rules by operator, from `rules.toml`."""
    path = Path(__file__).with_suffix(".toml")
    table: dict[str, dict[str, Any]] = read_toml(path)
    return {op: from_json(Rule, row, f"{path.name}: {op}") for op, row in table.items()}


def rules_without(sources: Collection[str]) -> Rules:
    """Rules as they were if some repositories had never been read.

    What the published table and issues say stays; sizes and checks that only these
    repositories show go.

    Args:
        sources: Names as in `Rule.seen`, e.g. `google-coral/test_data`.
    """
    return {op: rule.without(sources) for op, rule in rules().items()}
