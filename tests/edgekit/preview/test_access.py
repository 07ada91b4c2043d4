"""Who may look, and who may not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.preview.access import Access, make_token

text = st.text(max_size=60)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:9000", "LOCALHOST"])
def test_a_page_for_this_machine_is_answered_under_its_own_names(host: str) -> None:
    access = Access(loopback=True, port=8080)
    assert access.token is None
    assert access.knows(host)
    assert access.admits(offered="", cookies="")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a b", "@"]
)
def test_a_name_that_was_pointed_here_is_not_answered(host: str) -> None:
    assert not Access(loopback=True, port=8080).knows(host)


def test_a_page_for_the_network_wants_the_token_under_any_name() -> None:
    access = Access(loopback=False, port=8080)
    assert access.token is not None
    assert access.knows("pi.local:8080")
    assert not access.admits(offered="", cookies="")
    assert access.admits(offered=access.token, cookies="")
    assert access.admits(offered=f" {access.token.upper()} ", cookies=""), "typed on a phone"
    cookie = access.keep().partition(";")[0]
    assert access.admits(offered="", cookies=f"other=1; {cookie}")


def test_the_cookie_of_another_port_lets_nobody_in() -> None:
    first, second = (Access(loopback=False, port=port) for port in (8080, 8081))
    assert not second.admits(offered="", cookies=first.keep().partition(";")[0])


@given(offered=text, cookies=text)
def test_no_guess_lets_anybody_in(offered: str, cookies: str) -> None:
    assert not Access(loopback=False, port=1).admits(offered=offered, cookies=cookies)


def test_tokens_differ_and_can_be_typed() -> None:
    tokens = {make_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", t) for t in tokens)
