"""Where parts come from: one file per kind of archive, one row each in the table of `opening`.

::

    opening      recognises the kind and opens it: begin here
    source       the seam, and the options that say how an archive is to be understood
    station      a station's own record: journal and images, with the original verdicts
    folder       pictures in a folder, or those that a glob names; views by folder or by file name
    manifest     a CSV or Parquet list of pictures; a folder's `split.csv`
    shards       tar files in WebDataset layout
"""
