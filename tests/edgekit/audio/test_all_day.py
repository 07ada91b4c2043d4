"""A spotter listens for ten hours in the memory of its first minutes."""

from pathlib import Path

import numpy as np
import pytest
from tiny_spotters import RATE, manifest, silence, tone, write_words

from edgekit.audio.spotter import open_spotter
from edgekit.measure import peak_rss_mb

HOURS = 10
PIECE_S = 5
GROWTH_MIB = 4.0


@pytest.mark.slow
def test_memory_stays_flat_over_ten_hours(tmp_path: Path) -> None:
    path = write_words(tmp_path / "words.tflite", manifest({"every": 10, "smooth": 1}))
    spotter = open_spotter(path, probe=False)
    piece = np.concatenate([silence(2), tone("low"), silence(2.4), tone("high")])
    assert len(piece) == PIECE_S * RATE
    pieces = HOURS * 3600 // PIECE_S
    events, early, last = 0, 0.0, 0.0
    for number in range(pieces):
        heard = spotter.hear(piece)
        events += len(heard.events)
        last = float(heard.times[-1])
        if number == pieces // 20:
            early = peak_rss_mb()
    assert events == 2 * pieces
    assert last == pytest.approx(HOURS * 3600, abs=0.2)
    assert peak_rss_mb() - early <= GROWTH_MIB
