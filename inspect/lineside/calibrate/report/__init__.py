"""The page about one calibration: what was seen, what came of it, and how far it can be trusted.

::

    writing      what stands on the page, in which order
    drawing      pictures with points, and maps of the frame
    page.html.j2, page.css     the page itself
"""

from lineside.calibrate.report.writing import lens_page, plane_page

__all__ = ["lens_page", "plane_page"]
