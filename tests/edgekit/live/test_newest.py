"""Only the newest is kept, and what was not taken is counted."""

import threading
import time
from collections.abc import Generator

import pytest

from edgekit.live.newest import Newest


def nothing() -> None:
    """Do nothing to end an iterator that ends by itself."""


def test_what_comes_while_nobody_takes_is_dropped_and_counted() -> None:
    given = threading.Event()

    def numbers() -> Generator[int, None, None]:
        yield from range(10)
        given.set()

    newest = Newest(numbers(), "numbers")
    given.wait(5)
    assert newest.take() == 9
    assert newest.take() is None
    assert newest.dropped == 9
    assert newest.close(nothing, 5)


def test_each_item_is_taken_once() -> None:
    room = threading.Semaphore(0)

    def numbers() -> Generator[int, None, None]:
        for number in range(5):
            room.acquire()
            yield number

    newest = Newest(numbers(), "numbers")
    taken = []
    for _ in range(5):
        room.release()
        taken.append(newest.take())
    assert taken == [0, 1, 2, 3, 4]
    assert newest.dropped == 0
    assert newest.close(nothing, 5)


def test_an_error_is_raised_where_items_are_taken() -> None:
    def fail() -> Generator[int, None, None]:
        yield 1
        msg = "lost"
        raise ConnectionError(msg)

    newest = Newest(fail(), "fail")
    with pytest.raises(ConnectionError, match="lost"):
        list(iter(newest.take, None))
    assert newest.close(nothing, 5)


def test_closing_ends_the_thread_and_who_waits() -> None:
    over = threading.Event()

    def wait() -> Generator[int, None, None]:
        over.wait(30)
        yield 1

    newest = Newest(wait(), "waits")
    taken: list[object] = []
    waiting = threading.Thread(target=lambda: taken.append(newest.take()))
    waiting.start()
    assert newest.close(over.set, 5)
    waiting.join(5)
    assert taken == [None]
    assert "waits" not in {thread.name for thread in threading.enumerate()}


def test_an_iterator_that_does_not_end_is_left_behind() -> None:
    over = threading.Event()

    def stuck() -> Generator[int, None, None]:
        over.wait(30)
        yield 1

    newest = Newest(stuck(), "stuck")
    begun = time.monotonic()
    assert not newest.close(nothing, 0.1)
    assert time.monotonic() - begun < 5
    over.set()
