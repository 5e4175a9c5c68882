"""The report of a study: one HTML page that needs nothing from elsewhere, and the same as JSON.

::

    writing      what stands on the page, in which order, and writes it
    charts       components, averages and ranges, interaction        scatter   by part, by operator, linearity, kappa
    document     the JSON
    study.html.j2, attribute.html.j2, study.css     the pages
"""

from lineside.gauge.report.writing import write_attribute_report, write_report

__all__ = ["write_attribute_report", "write_report"]
