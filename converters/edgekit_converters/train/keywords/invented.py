"""Words that do not exist, spelled as those of a list are.

A list of words is soon said; what else people say is made of the same sounds in other orders.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

Random = np.random.Generator

_SEEN = 2  # letters that the next one depends on
_START, _END = "^" * _SEEN, "$"
_LENGTHS = range(3, 12)


class Speller:
    """Invents words: each letter follows those before it as often as in the list.

    Args:
        words: The list, in small letters.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._next: dict[str, list[str]] = defaultdict(list)
        for word in words:
            letters = _START + word + _END
            for place in range(_SEEN, len(letters)):
                self._next[letters[place - _SEEN : place]].append(letters[place])

    def __call__(self, rng: Random) -> str:
        """Invent a word of 3 to 11 letters; it may be one of the list.

        Args:
            rng: The draws.
        """
        while True:
            made = self._word(rng)
            if len(made) in _LENGTHS:
                return made

    def _word(self, rng: Random) -> str:
        made = _START
        while not made.endswith(_END) and len(made) <= _SEEN + _LENGTHS.stop:
            following = self._next[made[-_SEEN:]]
            made += following[int(rng.integers(len(following)))]
        return made[_SEEN:].removesuffix(_END)
