"""Data sets, pictures and sound: what is fed to a model, by one definition everywhere."""

from edgekit.data.dataset import open_dataset
from edgekit.data.labels import check_classes, labels_of, read_labels
from edgekit.data.samples import Dataset, Digest, Sample, digest

__all__ = [
    "Dataset",
    "Digest",
    "Sample",
    "check_classes",
    "digest",
    "labels_of",
    "open_dataset",
    "read_labels",
]
