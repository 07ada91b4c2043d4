"""Listen to a microphone for some seconds; run as a program by tests of microphones.

python hear.py RECORDER SECONDS FILE.npz: says `ready` when it hears, writes what it heard.
"""

import logging
import sys

import numpy as np

from edgekit.audio.sources import microphone, open_sound

RATE_HZ = 16_000


def main(recorder: str, seconds: float, path: str) -> None:
    """Listen through one of the recorders alone."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    microphone.RECORDERS = {recorder: microphone.RECORDERS[recorder]}
    heard, lost, t = [], [], []
    with open_sound("mic", RATE_HZ) as source:
        print("ready", flush=True)  # noqa: T201 (for who started this)
        for chunk in source.chunks():
            heard.append(chunk.samples)
            lost.append(chunk.lost)
            t.append(chunk.t)
            if chunk.t > seconds:
                break
        np.savez(path, heard=np.concatenate(heard), lost=lost, t=t, lost_s=source.lost_s)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
