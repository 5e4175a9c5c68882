"""The report of a run: one HTML page that needs nothing from elsewhere, made to be read, printed and kept."""

from lineside.reinspect.report.writing import Look, part_keys, write_report

__all__ = ["Look", "part_keys", "write_report"]
