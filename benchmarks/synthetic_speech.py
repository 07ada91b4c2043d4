"""Make the clips of speech that `--source synthetic` plays.

    sudo apt install flite espeak-ng && python benchmarks/synthetic_speech.py

Each word that the carried model knows is spoken by every voice, other words by one voice
each. Silence around them is cut off, and all are made equally loud. They are written one
after the other into one file, as its header takes more room than a word, and beside it a
table that says which word stands where.
"""

import io
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edgekit.data.sounds import read_sound

PLACE = Path(__file__).parents[1] / "edgekit/audio/sources/speech.opus"
RATE_HZ = 16_000
WORDS = ("alexa", "computer", "jarvis", "snowboy")
OTHERS = (
    *("coffee", "elephant", "garden", "good morning", "kitchen", "music", "seven"),
    *("tomorrow", "train", "umbrella", "window", "yesterday"),
)
VOICES = {  # name -> program and options; the text follows
    "slt": ("flite", "-voice", "slt"),
    "rms": ("flite", "-voice", "rms"),
    "awb": ("flite", "-voice", "awb"),
    "en-us": ("espeak-ng", "-v", "en-us", "-s", "150"),
}
PEAK = 0.5
MARGIN_S = 0.03  # left around a word
SILENT = 0.02  # of the peak: what is softer at the ends is cut off
COMPRESSION = 0.94  # of Opus, 1 is smallest


def main() -> None:
    """Write both files and say how large they are."""
    spoken = [(word, voice) for word in WORDS for voice in VOICES]
    spoken += [(word, list(VOICES)[index % len(VOICES)]) for index, word in enumerate(OTHERS)]
    clips = [speak(word, voice) for word, voice in spoken]
    ends = np.cumsum([clip.size for clip in clips]).tolist()
    table = [
        {"word": word, "voice": voice, "begin": end - clip.size, "end": end}
        for (word, voice), clip, end in zip(spoken, clips, ends, strict=True)
    ]
    file = io.BytesIO()
    soundfile.write(
        file,
        np.concatenate(clips),
        RATE_HZ,
        format="OGG",
        subtype="OPUS",
        compression_level=COMPRESSION,
    )
    PLACE.write_bytes(file.getvalue())
    lines = ",\n".join(f"  {json.dumps(row)}" for row in table)
    PLACE.with_suffix(".json").write_text(f"[\n{lines}\n]\n")
    size = len(file.getvalue()) + len(lines)
    print(f"{len(clips)} clips, {ends[-1] / RATE_HZ:.1f} s, {size} bytes")


def speak(word: str, voice: str) -> NDArray[np.float32]:
    """Let a voice say a word."""
    program, *options = VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        if program == "flite":
            command = [program, *options, "-t", word, "-o", str(path)]
        else:
            command = [program, *options, "-w", str(path), word]
        subprocess.run(command, check=True)
        wave = read_sound(path, RATE_HZ)
    loud = np.flatnonzero(np.abs(wave) > SILENT * np.abs(wave).max())
    margin = round(MARGIN_S * RATE_HZ)
    wave = wave[max(loud[0] - margin, 0) : loud[-1] + margin]
    return wave * np.float32(PEAK / np.abs(wave).max())


if __name__ == "__main__":
    main()
