"""The page about one calibration: what was seen, what came of it, and how far it can be trusted.

::

    writing        what stands on the pages of lens and plane, in which order
    flat_writing   the same of a flat field
    light_writing  the same of a light reference
    check_writing  the same of a daily check
    drawing        pictures with points, and maps of the frame
    curves         one figure over another
    page           what every page has
    page.html.j2, check.html.j2, page.css   the pages themselves
"""

from lineside.calibrate.report.check_writing import check_page
from lineside.calibrate.report.flat_writing import flat_page
from lineside.calibrate.report.light_writing import light_page
from lineside.calibrate.report.writing import lens_page, plane_page

__all__ = ["check_page", "flat_page", "lens_page", "light_page", "plane_page"]
