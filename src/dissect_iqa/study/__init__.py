"""A whole study: what is asked for, every stage's specification, and what it says at its end."""
