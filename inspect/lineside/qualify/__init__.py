"""How good a detector is: escapes, overkill and all that a quality engineer wants to know before it may decide.

::

    picture            a labelled picture, and what became of it
    judging            one picture after the other through the station's own inspector
    rates, ranking     escapes and overkill by part, with exact bounds; every threshold at once
    pixels             where masks say where the defect is: does the map say so too?
    defects            each masked defect, found or missed: probability of detection by size
    repeatability      the same parts shown again, moved, under other light, with noise
    traps              what else tells good from bad in these pictures: border, brightness, file size, order
    run                all of it, in one call
    document           what came of it, for programs; `report` for people
    threshold          a threshold for a wanted rate, on val
    gate               whether a qualification is enough to release a package
"""
