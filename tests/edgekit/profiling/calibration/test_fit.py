"""A made-up device whose law is known: it is found again, and its intervals hold."""

import numpy as np
import pytest
from made_up_device import BETWEEN, UNDELEGATED, Device

from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.clock import models
from edgekit.profiling.calibration.device import calibration
from edgekit.profiling.calibration.fit import COVERAGE, fit
from edgekit.profiling.calibration.law import Model, Setting, sums, time_us
from edgekit.profiling.calibration.net import Net, Tensor, Type


@pytest.fixture(scope="module")
def exact() -> Setting:
    return calibration(Device().session(), "raspberry-pi-4").settings[0]


def unseen(dtype: Type, side: int, width: int) -> Graph:
    """A net of no family that is timed, with sizes of its own."""
    net = Net(dtype)
    x: Tensor = net.conv(net.input(side, side, 3), width, 3, 2)
    for level in range(3):
        x = net.unary("HARD_SWISH", net.conv(net.depthwise(x, 5, 2), width * 2**level))
        x = net.binary("MUL", x, net.unary("LOGISTIC", net.mean(x, keep=True)))
    return Graph(net.pack(net.unary("SOFTMAX", net.dense(net.flat(x), 37))))


UNSEEN = [
    (dtype, side, width)
    for dtype in ("float32", "int8")
    for side in (60, 100, 150)
    for width in (12, 40)
]


def test_a_known_law_is_found_again(exact: Setting) -> None:
    assert exact.between.factors["float32"] == pytest.approx(1.0, abs=0.02)
    assert exact.between.factors["int8"] == pytest.approx(1.1, abs=0.02)
    assert exact.between.handover_us == pytest.approx(BETWEEN.handover_us, rel=0.15)
    assert exact.between.near_us == pytest.approx(BETWEEN.near_us, rel=0.15)
    assert exact.between.near_bytes == BETWEEN.near_bytes
    assert exact.between.far_us == pytest.approx(BETWEEN.far_us, rel=0.15)
    assert exact.between.far_bytes == BETWEEN.far_bytes
    assert exact.accuracy.within_10pct == 1.0
    assert max(law.error for law in exact.laws if law.timed > 6) < 0.03


def test_it_is_known_what_the_delegate_leaves(exact: Setting) -> None:
    assert {law.key for law in exact.laws if not law.delegated} == set(UNDELEGATED)


@pytest.mark.parametrize(("dtype", "side", "width"), UNSEEN)
def test_a_net_that_was_never_timed_is_told_within_8_percent(
    exact: Setting, dtype: Type, side: int, width: int
) -> None:
    graph = unseen(dtype, side, width)
    told = time_us(sums(Model.of(graph), exact.by_key()), exact.between)
    assert told == pytest.approx(Device().us(graph), rel=0.08)


def test_what_is_between_operators_counts(exact: Setting) -> None:
    found = sums(Model.of(unseen("int8", 100, 40)), exact.by_key())
    assert found.handovers >= 6
    alone = sum(found.alone_us.values())
    assert time_us(found, exact.between) > 1.05 * alone


def test_the_interval_of_a_noisy_device_holds_the_truth_as_often_as_it_says() -> None:
    device = Device(noise=0.08)
    setting = calibration(device.session(), "raspberry-pi-4").settings[0]
    random = np.random.default_rng(5)
    held = []
    for dtype, side, width in UNSEEN:
        graph = unseen(dtype, side, width)  # type: ignore[arg-type] # from the list of types
        told = time_us(sums(Model.of(graph), setting.by_key()), setting.between)
        truth = device.us(graph) * (1 + device.noise * random.standard_normal(40))
        accuracy = setting.accuracy
        held.append((told * accuracy.low <= truth) & (truth <= told * accuracy.high))
    assert setting.accuracy.coverage == COVERAGE
    assert np.mean(held) >= COVERAGE - 0.03
    assert setting.accuracy.high < 1.4


def test_one_net_that_was_always_interrupted_moves_nothing(exact: Setting) -> None:
    session = Device().session()
    timings = list(session.timings["1"])
    place = next(i for i, each in enumerate(timings) if each.name.startswith("net-int8-gated"))
    late = timings[place]
    timings[place] = type(late)(
        name=late.name,
        delegated=late.delegated,
        runs=late.runs,
        p5_ms=5 * late.p5_ms,
        median_ms=6 * late.median_ms,
        quiet_ms=6 * late.quiet_ms,
    )
    found = fit(models(), timings, 1)
    factors = exact.between.factors
    assert found.between.factors["int8"] == pytest.approx(factors["int8"], rel=0.03)
    assert found.between.factors["float32"] == pytest.approx(factors["float32"], rel=0.03)
