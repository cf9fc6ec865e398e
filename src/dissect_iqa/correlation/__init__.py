"""Agreement with people's opinions: correlations, their intervals, contests and ceilings."""
