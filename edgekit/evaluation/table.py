"""The table of metrics."""

from edgekit.evaluation.boxes import MeanPrecision, MeanPrecision50
from edgekit.evaluation.keywords import FalseRejects
from edgekit.evaluation.metrics import Accuracy, Metric, Sqnr

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "map50": MeanPrecision50,
    "map": MeanPrecision,
    "sqnr_db": Sqnr,
    "false_rejects": FalseRejects,
}
