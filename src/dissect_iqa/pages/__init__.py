"""Pages to read in a browser: a study's figures with captions, its texts, its tables."""
