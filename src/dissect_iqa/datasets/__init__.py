"""The data sets: where they come from, how they are read, and what is made of them."""
