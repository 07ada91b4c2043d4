"""Laws of the front end on sounds in pieces."""

import numpy as np
import pytest

from edgekit.data.frontend import PRESETS, Stream, extract, preset

NOISE = np.random.default_rng(6).normal(0, 0.1, 16_000).astype(np.float32)


def in_pieces(wave: np.ndarray, name: str, sizes: list[int]) -> np.ndarray:
    stream, rows, start = Stream(preset(name)), [], 0
    while start < wave.size:
        for size in sizes:
            rows.append(stream.push(wave[start : start + size]))
            start += size
    return np.concatenate(rows)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([160], id="10 ms"),
        pytest.param([320], id="20 ms"),
        pytest.param([1280], id="80 ms"),
        pytest.param([1, 7, 331, 5000], id="odd"),
    ],
)
def test_pieces_give_the_rows_of_the_whole_bit_for_bit(name: str, sizes: list[int]) -> None:
    whole = extract(NOISE, preset(name))
    assert whole.shape == (preset(name).count(NOISE.size), preset(name).features)
    assert in_pieces(NOISE, name, sizes).tobytes() == whole.tobytes()
