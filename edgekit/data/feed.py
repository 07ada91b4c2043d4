"""What a model takes, and how a file or a row of an array becomes that."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgekit.data import images, preprocess, sounds
from edgekit.data.align import align
from edgekit.data.frontend import FrontEnd, extract
from edgekit.data.opencv import Pixels
from edgekit.data.samples import Array, Inputs
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing

_INTEGER_INPUTS = frozenset({"bool", "int32", "int64", "uint32", "uint64"})

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The inputs of a model and what stands between data and them.

    Attributes:
        shapes: Shape of each input by name, without the batch.
        dtypes: numpy name of the type of each input; real values are fed as float32 where it
            is missing, and where it is 8 or 16 bits wide and so quantized.
        preprocessing: How a picture becomes an input; None if the model takes none.
        sample_rate_hz: Rate of the waveform that the model takes; None if it takes none.
        front_end: How a sound becomes the features that the model takes; None if it takes
            none.
    """

    shapes: dict[str, Shape]
    dtypes: dict[str, str] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    sample_rate_hz: int | None = None
    front_end: FrontEnd | None = None

    @property
    def single(self) -> str | None:
        """The name of the input, or None where there are several."""
        return next(iter(self.shapes)) if len(self.shapes) == 1 else None

    @property
    def kind(self) -> str:
        """What one file of a data folder holds: `picture`, `sound` or `array`."""
        if self.single is None:
            return "array"
        shape = self.shapes[self.single]
        if self._takes_features(self.single):
            return "sound"
        if self.preprocessing is not None and _picture_like(shape):
            return "picture"
        return "sound" if self.sample_rate_hz and _wave_like(shape) else "array"

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of the files that can be fed."""
        arrays = frozenset({".npy"} if self.single is not None else {".npz"})
        return {"picture": images.SUFFIXES, "sound": sounds.SUFFIXES}.get(self.kind, arrays)

    @property
    def lacks(self) -> str:
        """Say what is missing before files can be fed to this model, as one sentence."""
        if self.single is None:
            return "Several inputs need an .npz file with one array for each, by name."
        shape = self.shapes[self.single]
        if self.kind == "sound":
            return "Is this the folder you mean?"
        if _picture_like(shape) and self.preprocessing is None:
            return "For pictures, say how pixels become its input: --input-range LOW,HIGH."
        if _wave_like(shape) and self.sample_rate_hz is None:
            return "Give an .npz or .npy file; for sound, say its rate: --sample-rate HZ."
        if self.kind == "array":
            return "That is neither a picture nor a waveform: give an .npz or .npy file."
        return "Is this the folder you mean?"

    def from_file(self, path: Path) -> Inputs:
        """Turn a picture or a sound file into the model's input.

        Raises:
            DataError: The file cannot be read.
        """
        name, shape = next(iter(self.shapes.items()))
        if self.front_end is not None and self._takes_features(name):
            wave = sounds.read_sound(path, self.front_end.sample_rate_hz)
            return {name: self._features(wave, self.front_end).reshape(shape)}
        if self.sample_rate_hz is not None and self.kind == "sound":
            wave = sounds.read_sound(path, self.sample_rate_hz)
            return {name: sounds.fit_length(wave, shape[0]).reshape(shape)}
        return {name: self._picture(images.read_image(path), shape)}

    def from_row(self, name: str, row: Array) -> Array:
        """Turn one row of an array into an input of the model.

        A uint8 picture is preprocessed, a waveform goes through the front end if there is
        one, everything else is fed as it is. `counts_samples` has found that the row fits.
        """
        shape = self.shapes[name]
        if self.front_end is not None and self._is_wave(name, row.shape):
            return self._features(_as_wave(row), self.front_end).reshape(shape)
        if self._is_picture(name, row.shape, row.dtype):
            return self._picture(_as_rgb(row), shape)
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite
            return np.array(row.reshape(shape), self._dtype(name, row.dtype), order="C")

    def counts_samples(self, name: str, array: Shape, dtype: np.dtype, where: str) -> bool:
        """Say whether the first axis of an array counts samples, or the array is one sample.

        Args:
            name: The input that the array is for.
            array: Shape of the array.
            dtype: Type of the array.
            where: What holds it, for messages.

        Raises:
            DataError: The array does not fit the input.
        """
        if dtype.kind not in "biuf":
            msg = f"{where} holds {dtype}; only arrays of plain numbers can be fed."
            raise DataError(msg)
        if self._dtype(name, dtype).kind != "f" and dtype.kind == "f":
            msg = (
                f"{where} holds {dtype}; input '{name}' takes {self.dtypes[name]}.\n"
                f"Store integers: x.astype('{self.dtypes[name]}')."
            )
            raise DataError(msg)
        if self._fits(name, array[1:], dtype) and not self._is_one_picture(name, array, dtype):
            return True
        if self._fits(name, array, dtype):
            return False
        raise DataError(_misfit(where, name, self.shapes[name], array, dtype))

    def _picture(self, pixels: Pixels, shape: Shape) -> Array:
        if self.preprocessing is None:
            msg = "Pictures need a preprocessing; give --input-range LOW,HIGH."
            raise DataError(msg)
        height, width, channels = shape
        return preprocess.apply(pixels, self.preprocessing, (height, width), channels)

    def _features(self, wave: Array, front_end: FrontEnd) -> Array:
        """Turn the window of a sound that holds its word into features."""
        return extract(align(wave, front_end.samples, front_end.sample_rate_hz), front_end)

    def _takes_features(self, name: str) -> bool:
        """Say whether an input takes what the front end gives."""
        if self.front_end is None:
            return False
        return math.prod(self.shapes[name]) == self.front_end.frames * self.front_end.features

    def _is_wave(self, name: str, row: Shape) -> bool:
        """Say whether a row is a waveform, of any length, that the front end is to be given.

        As many values as the features have are the features.
        """
        if self.front_end is None or not self._takes_features(name):
            return False
        length = math.prod(row)
        enough = length >= self.front_end.frame_samples
        return _wave_like(row) and enough and length != math.prod(self.shapes[name])

    def _dtype(self, name: str, found: np.dtype) -> np.dtype:
        wanted = self.dtypes.get(name)
        if wanted in _INTEGER_INPUTS:
            return np.dtype(wanted)
        keeps = wanted is None and found.kind in "iu" and found.itemsize > 1
        return found.newbyteorder("=") if keeps else np.dtype(np.float32)

    def _fits(self, name: str, row: Shape, dtype: np.dtype) -> bool:
        """Say whether a row is of the input's shape, but for a last axis of length 1."""
        shape = self.shapes[name]
        return (
            shape in {row, (*row, 1)}
            or row == (*shape, 1)
            or self._is_picture(name, row, dtype)
            or self._is_wave(name, row)
            or (self._takes_features(name) and row == (math.prod(shape),))
        )

    def _is_picture(self, name: str, row: Shape, dtype: np.dtype) -> bool:
        """Say whether a row is a uint8 picture, of any size, that is to be preprocessed."""
        if self.preprocessing is None or dtype != np.uint8:
            return False
        gray = len(row) == 2 and self.shapes[name][-1] == 1
        color = len(row) == 3 and row[-1] in {1, 3, 4}
        return _picture_like(self.shapes[name]) and (gray or color) and min(row) > 0

    def _is_one_picture(self, name: str, array: Shape, dtype: np.dtype) -> bool:
        """Say whether a uint8 array of three axes is one picture, not a stack of gray ones."""
        return len(array) == 3 and self._is_picture(name, array, dtype)


def _picture_like(shape: Shape) -> bool:
    return len(shape) == 3 and shape[-1] in {1, 3}


def _wave_like(shape: Shape) -> bool:
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def _as_wave(row: Array) -> Array:
    """Return a waveform in [-1, 1], shape (n,); integers are taken as of 16 bits."""
    scale = 32768 if row.dtype.kind in "iu" else 1
    return (row.reshape(-1) / np.float32(scale)).astype(np.float32)


def _as_rgb(row: Array) -> Pixels:
    """Give a uint8 picture three channels: repeat gray, drop alpha."""
    pixels = row if row.ndim == 3 else row[..., np.newaxis]
    if pixels.shape[-1] == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])


def _misfit(where: str, name: str, shape: Shape, array: Shape, dtype: np.dtype) -> str:
    """Say what does not fit, and how to mend it."""
    found = f"{where} has shape {array} and holds {dtype}"
    text = f"{found}; input '{name}' takes samples of shape {shape}."
    row = array[1:]
    if len(shape) == 3 and row == (shape[2], shape[0], shape[1]):
        return f"{text}\nIts channels come first; store x.transpose(0, 2, 3, 1)."
    if len(shape) == 3 and row == (shape[1], shape[0], shape[2]):
        return f"{text}\nHeight and width are swapped; store x.transpose(0, 2, 1, 3)."
    if _picture_like(shape) and len(row) == 3 and row[-1] in {1, 3}:
        return f"{text}\nStore pictures as uint8 to have them resized, or resize them first."
    return f"{text}\nStore an array of shape (samples, {', '.join(map(str, shape))})."
