"""What is installed and attached here, what is wrong with it, and what mends it."""

from edgekit.doctor.diagnosis import Diagnosis, diagnose
from edgekit.doctor.finding import Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
