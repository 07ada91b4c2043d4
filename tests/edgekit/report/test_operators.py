"""Time of each operator: the longest first, what computes it, what to change."""

from collections.abc import Callable

from reported import Reader, per_op, profile

from edgekit.profiling.perop.records import OpTime

Page = Callable[..., Reader]


def test_each_operator_has_kernel_time_share_and_a_bar(page: Page) -> None:
    reader = page(per_op())
    for text in ("CONV_2D", "IGEMM", "0.750 ms, 60.0 %", "Gather", "0.375 ms, 30.0 %"):
        assert text in reader.words
    assert reader.words.index("IGEMM") < reader.words.index("Gather")
    assert len(reader.of("li")) >= 3


def test_what_the_delegate_does_not_take_is_hatched(page: Page) -> None:
    (hatched,) = page(per_op()).of("rect", "hatch")
    assert hatched["width"] == "50.00%"


def test_the_sum_is_shown_beside_the_whole_and_hints_are_given(page: Page) -> None:
    words = page(per_op()).words
    assert "Each operator was cut out and run alone; operators 1.12 ms" in words
    assert "whole model 1.25 ms; their sum differs by -2.0 %." in words
    assert "What to changeGATHER is slow; leave it out." in words


def test_of_many_operators_the_shortest_share_a_line(page: Page) -> None:
    ops = tuple(
        OpTime(index=n, op="ADD", kernel=f"kernel {n}.", ms=1.0 + n, share=0.05)
        for n in range(20)
    )
    words = page(profile(ops=ops)).words
    assert "kernel 5." in words
    assert "kernel 4." not in words
    assert "And 5 more, 25.0 %." in words
