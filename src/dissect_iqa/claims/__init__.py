"""The paper's claims judged by a run's numbers, and the methods in words."""
