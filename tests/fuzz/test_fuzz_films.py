"""However a film or a picture is damaged: frames, or one clear error; no hang, no traceback."""

import json
import random
from pathlib import Path

import fuzz_jobs
import pytest
from mutations import damage
from streams import jpeg, write_film

from edgekit import guard
from edgekit.errors import CrashError

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return small films and a picture by the ending of their names."""
    folder = tmp_path_factory.mktemp("films")
    films = {end: write_film(folder / f"film.{end}", 8) for end in ("mp4", "avi", "mkv")}
    return {end: path.read_bytes() for end, path in films.items()} | {"jpg": jpeg(1)}


def test_damaged_films_end_in_words(
    seeds: dict[str, bytes], fuzz_rounds: int, tmp_path: Path
) -> None:
    """A crash of native code is one message, too: the demo runs all of it in a child."""
    paths = []
    for number in range(fuzz_rounds):
        ending = list(seeds)[number % len(seeds)]
        path = tmp_path / f"{number}.{ending}"
        path.write_bytes(damage(seeds[ending], random.Random(number)))
        paths.append(str(path))
    log = tmp_path / "log"
    left = paths
    while left:
        try:
            job = f"{fuzz_jobs.__name__}:watch_each"
            guard.call(job, doing="watching", paths=left, log=str(log))
            break
        except CrashError:
            left = left[left.index(last_begun(log)) + 1 :]
    outcomes = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each for each in outcomes if each.get("complaint")] == []
    assert sum(each.get("outcome") == "fine" for each in outcomes) > 0
    assert sum(each.get("outcome") == "refused" for each in outcomes) > 0


def last_begun(log: Path) -> str:
    """Return the case that took its process along."""
    begun = [json.loads(line).get("begun") for line in log.read_text().splitlines()]
    return str([each for each in begun if each][-1])
