"""Models that a calibration times: they are valid, many, and what the law covers."""

from collections import Counter

import pytest

from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.clock import models
from edgekit.profiling.calibration.cost import costs
from edgekit.profiling.calibration.law import Model
from edgekit.profiling.calibration.nets import nets
from edgekit.profiling.calibration.op_set import Timed, least_ops, single_ops
from edgekit.runtime import open_backend


@pytest.fixture(scope="module")
def operators() -> list[Timed]:
    return list(single_ops())


def test_there_are_200_to_400_operators_each_alone_in_its_model(
    operators: list[Timed],
) -> None:
    assert 200 <= len(operators) <= 400
    seen = [costs(Graph(each.content)) for each in operators]
    assert all(sum(not cost.free for cost in found) == 1 for found in seen)
    assert len({each.name for each in operators}) == len(operators)


def test_the_runtime_runs_every_operator_and_net(operators: list[Timed]) -> None:
    interpreter = open_backend().interpreter
    for each in [*least_ops(), *operators, *nets()]:
        loaded = interpreter(model_content=each.content, num_threads=1)
        loaded.allocate_tensors()
        loaded.invoke()


def test_nets_are_made_of_operators_that_are_timed_alone(operators: list[Timed]) -> None:
    alone = {Model.of(Graph(each.content)).alone.key for each in operators}
    for net in nets():
        missing = {c.key for c in costs(Graph(net.content)) if not c.free} - alone
        assert not missing, net.name


def test_each_kind_and_type_is_timed_at_two_sizes_or_more(operators: list[Timed]) -> None:
    counted = Counter(Model.of(Graph(each.content)).alone.key for each in operators)
    assert min(counted.values()) >= 2


def test_a_part_of_the_models_keeps_the_least_operators() -> None:
    some = models(0.05)
    assert [each.name for each in some[:2]] == ["least-delegated", "least-builtin"]
    assert 10 < len(some) < 50
