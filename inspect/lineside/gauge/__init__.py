"""Measurement capability: a study of parts, operators and repeats, guided and written down, and what it shows.

::

    measurement  one line of a study: what was to be measured, and what came of it
    plan         which part, by whom, in which order
    study_file   a study as a CSV file, also one that was measured elsewhere
    measurand    what is measured: a size of a finding, a score, the outcome
    station      measures by a running station       pictures   measures by a recipe, from files
    sitting      goes through a plan: each measurement is on disk before the next
    crossed      the values as a balanced table, or the reason why they are none
    analysis     what the numbers show        attribute  what words (pass, fail) show
    report/      one HTML page and a JSON file
"""
