"""What the reports have in common: HTML pages that need nothing from elsewhere, made to be read, printed and kept.

::

    template         the environment that a page is written with, and its filters
    sheet.html.j2    the frame of a page: what it may load, and its head
    look.css     the look: light, dark and print
    svg, axis        the pieces of a chart
    picture          pictures inside the page
"""
