"""The report of a run: one HTML page that needs nothing from elsewhere, made to be read, printed and kept.

::

    writing      what stands on the page, in which order, and writes it
    pictures     the parts' pictures with heat maps and defects, as data
    charts       SVG
    page.html.j2, page.css     the page itself
"""

from lineside.reinspect.drawing import Look
from lineside.reinspect.report.writing import MAX_PICTURES_BYTES, REPORT, part_keys, write_report

__all__ = ["MAX_PICTURES_BYTES", "REPORT", "Look", "part_keys", "write_report"]
