"""What all tests share: which are skipped where, and the options of a run."""

import importlib.util
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from edgekit import progress

settings.register_profile("edgekit", deadline=None, print_blob=True)
settings.load_profile("edgekit")

# What a shell runs in the background ignores Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
DATA = os.environ.get("EDGEKIT_DATA", "")
REASONS = {
    "tf": None if HAS_TENSORFLOW else "TensorFlow is not installed (the convert extra)",
    "data": None if DATA else "EDGEKIT_DATA names no folder of real models and data",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-rounds",
        type=int,
        default=100,
        metavar="N",
        help="Mutated files of each kind in tests/fuzz (100).",
    )


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the heavy half's tests where it cannot be imported."""
    heavy = Path(__file__).parent / "converters"
    return True if collection_path == heavy and not HAS_TENSORFLOW else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, reason in REASONS.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def silent_afterwards() -> Iterator[None]:
    """Take back what a command that ran in this process chose to say, and to whom."""
    yield
    progress.show_on(progress.Silent())
    logger = logging.getLogger("edgekit")
    logger.handlers = []
    logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real models and data; for tests marked `data`."""
    if not DATA:
        pytest.skip(REASONS["data"] or "")
    return Path(DATA).resolve()


@pytest.fixture(scope="session")
def fuzz_rounds(request: pytest.FixtureRequest) -> int:
    """Return how many mutated files of each kind are tried."""
    rounds: int = request.config.getoption("--fuzz-rounds")
    return rounds
