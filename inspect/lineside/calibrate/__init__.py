"""Calibration of a station: targets to print, lens and plane from pictures of them, flat field, and pages that show it.

::

    target       what is printed, as a file in calibration/targets/
    sheet        the same as shapes in mm; sheet_pdf and sheet_png draw them
    detection    a target's points in a picture
    selection    which pictures are good enough, and why others are not
    lens_fit     pictures to a lens with its covariance
    plane_fit    one picture to the plane of the parts
    frames       frames of the dark and of a white: which are good, and what they show pixel by pixel
    flat_fit     those to offsets, gains and bad pixels
    sensor_fit   flat frames at several exposures to noise and linearity, as EMVA 1288 has them
    light_fit    several good pictures to what good light is, and how much it varies
    report/      one HTML page for each calibration
"""
