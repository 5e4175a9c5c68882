"""The report of a qualification: one HTML page that needs nothing from elsewhere.

::

    writing        the page and the JSON beside it, whole or not at all
    charts         ROC, precision and recall, scores, what was found by size
    grid           parts that were shown again
    pictures       the worst escapes and overkills, with their heat maps
"""

from lineside.qualify.report.writing import write_qualification

__all__ = ["write_qualification"]
