"""Open a data set, whatever form it has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.data.arrays import open_arrays
from edgekit.data.feed import Feed
from edgekit.data.folders import open_folder
from edgekit.data.frontend import FrontEnd
from edgekit.data.samples import Dataset
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing


def open_dataset(
    path: Path,
    *,
    shapes: Mapping[str, tuple[int, ...]],
    preprocessing: Preprocessing | None,
    labelled: bool,
    labels: Sequence[str] = (),
    sample_rate_hz: int | None = None,
    front_end: FrontEnd | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> Dataset:
    """Open a data set as a stream of samples, ready to be fed to a model.

    Args:
        path: A folder with one folder for each class (read recursively, other files
            skipped); or of files named `label_speaker_take.ext`; or an `.npz` file with `x`
            and `y`, for a model with several inputs one array for each by name. Where no
            labels are needed also a plain folder of files and an `.npy` file. A folder may
            hold pictures, sound, or one `.npy` file (several inputs: `.npz`) a sample.
        shapes: Shape of each input of the model by name, without the batch.
        preprocessing: How a picture becomes an input. uint8 arrays are preprocessed if
            the input has the shape of a picture; all other arrays are fed as they are.
        labelled: Whether each sample must have a class. If not, classes that are found
            serve to choose a subset, and need not be those of the model.
        labels: Names of the classes in the order of the model's outputs: what the model
            carries, or a file of labels. Empty: the sorted names that are found.
        sample_rate_hz: Rate of the waveform that the model takes, if it takes one.
        front_end: How a sound becomes the features that the model takes, if it takes such:
            of each sound the window around its word, see `edgekit.data.align`.
        dtypes: numpy name of the type of each input; an integer input (token ids) gets
            integers. Where it is missing, arrays of integers wider than 8 bits stay so.

    Raises:
        DataError: There is no such set, or it or the front end does not fit the model.
    """
    feed = Feed(
        shapes={name: tuple(shape) for name, shape in shapes.items()},
        dtypes=dict(dtypes or {}),
        preprocessing=preprocessing,
        sample_rate_hz=sample_rate_hz,
        front_end=front_end,
    )
    _refuse_open_shapes(feed)
    _refuse_misfit(feed)
    path = Path(path)
    if not path.exists():
        msg = f"There is no data at {path}."
        raise DataError(msg)
    if path.is_dir():
        return open_folder(path, feed, labels, labelled=labelled)
    if path.suffix.lower() in {".npy", ".npz"}:
        return open_arrays(path, feed, labels, labelled=labelled)
    msg = (
        f"{path} is no data set that edgekit reads.\n"
        "Give a folder with one folder for each class, or an .npz file with x and y."
    )
    raise DataError(msg)


def _refuse_open_shapes(feed: Feed) -> None:
    for name, shape in feed.shapes.items():
        if not all(length and length > 0 for length in shape):
            msg = (
                f"Input '{name}' has the open shape {shape}; data is fed to a fixed one.\n"
                "Give it with --input-shape."
            )
            raise DataError(msg)


def _refuse_misfit(feed: Feed) -> None:
    """Refuse a front end that gives other features than the model takes."""
    if feed.front_end is None or feed.single is None or feed.kind == "sound":
        return
    shape = " x ".join(map(str, feed.shapes[feed.single]))
    msg = (
        f"The model takes {shape} values, and its front end gives "
        f"{feed.front_end.frames} rows of {feed.front_end.features}.\n"
        "Give the front end that it was trained with: --front-end NAME."
    )
    raise DataError(msg)
