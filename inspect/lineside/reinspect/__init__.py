"""Re-inspection: the station's own inspector over archives of images, on this machine or on a cluster, with evidence.

::

    sources    where parts come from: a station's archive, folders, manifests, tar shards; any fsspec URL
    plan       all parts, listed once and written down, in chunks: what `--resume` goes on with
    candidate  who judges: a recipe with its calibration and packages
    judge      one part in, one row per candidate out; never raises for a bad file
    engines    local processes, or Ray: the same chunks, the same rows
    run        the folder of one run: plan, chunks done, rows.parquet
    summary, report      what the rows say, as JSON and as one HTML page
    replay     one verdict of a journal again, and why it was given
"""
