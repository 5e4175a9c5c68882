"""What the rows of a run say, in one pass over them: the figures, the parts to look at, and the answer in words.

::

    document    the summary as a document: summary.json, schema versioned
    rows        reads rows.parquet part by part, all candidates of a part together
    tally       counts: one cube of truth and verdicts, from which every figure follows
    telling     the parts most worth a look, out of millions
    scores      scores by truth and over time, at a fixed cost in memory
    figures     the cube as rates with bounds, changes and comparisons
    answer      the sentence that matters
"""

from lineside.reinspect.summary.document import RunFacts, Summary
from lineside.reinspect.summary.summarising import summarise

__all__ = ["RunFacts", "Summary", "summarise"]
