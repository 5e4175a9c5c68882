"""Calibration of a station: targets to print, lens and plane from pictures of them, and a page that shows it.

::

    target       what is printed, as a file in calibration/targets/
    sheet        the same as shapes in mm; sheet_pdf and sheet_png draw them
    detection    a target's points in a picture
    selection    which pictures are good enough, and why others are not
    lens_fit     pictures to a lens with its covariance
    plane_fit    one picture to the plane of the parts
    report/      one HTML page for each calibration
"""
