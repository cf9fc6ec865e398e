"""Feature files: written from a journal, verified, read and shared."""
