"""How much of the correlation each factor explains."""
