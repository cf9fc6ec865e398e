"""Agreement with people's opinions: correlations, their intervals, comparisons and ceilings."""
