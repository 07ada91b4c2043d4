"""One self-contained HTML page of what commands printed with `--json`."""

from edgekit.report.write import write_report

__all__ = ["write_report"]
