"""How an amount is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import UsageError
from edgekit_converters.prune.amount import Amount, parse

shares = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)


@given(kind=st.sampled_from(["channels", "macs"]), share=shares)
def test_what_is_written_is_read_back(kind: str, share: float) -> None:
    amount = parse(f"{kind}:{share!r}")
    assert (amount.kind, amount.share) == (kind, share)


@given(share=shares)
def test_a_bare_share_means_channels(share: float) -> None:
    assert parse(repr(share)) == Amount("channels", share)


@pytest.mark.parametrize("share", ["0", "1", "-0.5", "nan", "inf", "half", "", "50%", "0.5:"])
def test_a_share_must_lie_between_0_and_1(share: str) -> None:
    with pytest.raises(UsageError, match=r"above 0 and below 1|Cannot prune by"):
        parse(f"macs:{share}")


@pytest.mark.parametrize("text", ["latency:0.5@raspberry-pi-4", "weights:0.5", ":0.5"])
def test_an_unknown_kind_lists_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError, match=r"Known: channels:SHARE, macs:SHARE"):
        parse(text)


@given(st.text(max_size=20))
def test_no_text_is_an_unexpected_failure(text: str) -> None:
    try:
        amount = parse(text)
    except UsageError:
        return
    assert 0 < amount.share < 1
