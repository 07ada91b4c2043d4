"""How an amount is written."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_device import Device

from edgekit.errors import RecordError, TargetError, UnknownName, UsageError
from edgekit.profiling.calibration.device import calibration
from edgekit.profiling.calibration.record import default_path
from edgekit_converters.prune.amount import (
    METHOD_OF,
    Amount,
    Kind,
    Method,
    check_steps,
    checked,
    complete,
    parse,
)

shares = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)


@given(kind=st.sampled_from(["channels", "macs", "magnitude", "block"]), share=shares)
def test_what_is_written_is_read_back(kind: str, share: float) -> None:
    amount = parse(f"{kind}:{share!r}")
    assert (amount.kind, amount.share) == (kind, share)


@given(share=shares)
def test_a_bare_share_means_channels(share: float) -> None:
    assert parse(repr(share)) == Amount("channels", share)


@pytest.mark.parametrize(
    "text", ["channels:0.5", "macs:0.4", "latency:0.5@host", "2:4", "block:0.8", "clusters:32"]
)
def test_an_amount_is_written_as_it_is_read(text: str) -> None:
    assert str(parse(text)) == text


def test_every_kind_belongs_to_a_method() -> None:
    assert set(METHOD_OF) == set(get_args(Kind))
    assert set(METHOD_OF.values()) == set(get_args(Method))


@pytest.mark.parametrize(
    ("method", "text", "whole"),
    [
        (None, "0.5", "channels:0.5"),
        (None, "magnitude:0.8", "magnitude:0.8"),
        ("channels", "macs:0.5", "macs:0.5"),
        ("magnitude", "0.8", "magnitude:0.8"),
        ("block", "block:0.8", "block:0.8"),
        ("cluster", "32", "clusters:32"),
        ("2:4", None, "2:4"),
        ("2:4", "0.5", "2:4"),
        ("2:4", "2:4", "2:4"),
    ],
)
def test_a_method_completes_its_amount(
    method: str | None, text: str | None, whole: str
) -> None:
    assert str(complete(method, text)) == whole


@pytest.mark.parametrize(
    ("method", "text"),
    [("2:4", "0.6"), ("channels", "magnitude:0.5"), ("cluster", "0.5"), ("block", None)],
)
def test_a_method_refuses_the_amount_of_another(method: str, text: str | None) -> None:
    with pytest.raises(UsageError):
        complete(method, text)


@pytest.mark.parametrize("share", ["0", "1", "-0.5", "nan", "inf", "half", "", "50%", "0.5:"])
@pytest.mark.parametrize("kind", ["macs", "magnitude", "block"])
def test_a_share_must_lie_between_0_and_1(kind: str, share: str) -> None:
    with pytest.raises(UsageError, match=r"above 0 and below 1|Cannot prune by"):
        parse(f"{kind}:{share}")


@pytest.mark.parametrize("count", ["0", "1", "257", "-3", "1e2", "1_0", "", "x", "0.5"])
def test_clusters_are_counted(count: str) -> None:
    with pytest.raises(UsageError, match="2 to 256"):
        parse(f"clusters:{count}")


@pytest.mark.parametrize("text", ["weights:0.5", ":0.5", "4:2", "2:4:0.5"])
def test_an_unknown_kind_lists_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError, match=r"Known: channels:SHARE, macs:SHARE"):
        parse(text)


def test_latency_counts_where_it_can_be_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert checked("latency:0.5@host").target == "host"
    with pytest.raises(UsageError, match="@host"):
        checked("latency:0.5")
    with pytest.raises(UnknownName, match=r"Known: .*host"):
        checked("latency:0.5@toaster")
    with pytest.raises(TargetError) as caught:
        checked("latency:0.5@raspberry-pi-4")
    assert str(caught.value) == (
        "latency:0.5@raspberry-pi-4 needs the times of single operators on raspberry-pi-4, and "
        "edgekit has none.\n"
        "Make them on the device with edgekit calibrate-device --target raspberry-pi-4, or "
        "prune by macs:0.5 and measure on the device with edgekit profile, or run edgekit on "
        "the device with latency:0.5@host."
    )
    assert caught.value.exit_code == 4
    with pytest.raises(TargetError, match=r"none\.\nPrune by macs:0.5"):
        checked("latency:0.5@coral-usb")


def test_latency_counts_on_a_target_that_was_calibrated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    law = calibration(Device().session(), "raspberry-pi-4")
    law.write(default_path("raspberry-pi-4"))
    assert checked("latency:0.5@raspberry-pi-4").target == "raspberry-pi-4"
    replace(law, runtime="ai-edge-litert 1.4.0").write(default_path("raspberry-pi-4"))
    with pytest.raises(RecordError, match=r"made with ai-edge-litert 1\.4\.0"):
        checked("latency:0.5@raspberry-pi-4")


def test_steps_need_channels_and_epochs() -> None:
    check_steps(parse("0.5"), 3, 3)
    check_steps(parse("2:4"), 1, 0)
    with pytest.raises(UsageError, match="--epochs 3 or more"):
        check_steps(parse("0.5"), 3, 2)
    with pytest.raises(UsageError, match="Leave --steps out"):
        check_steps(parse("2:4"), 2, 4)


@given(st.text(max_size=20))
def test_no_text_is_an_unexpected_failure(text: str) -> None:
    try:
        amount = parse(text)
    except UsageError:
        return
    assert 0 < amount.share < 1 or amount.clusters
