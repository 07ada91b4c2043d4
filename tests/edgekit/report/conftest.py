"""A page of documents, read back."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from reported import Reader, page_of


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., Reader]:
    """Makes the page of the records or documents that it is given."""
    return partial(page_of, tmp_path)
