"""Networks: the model table, builders, layers, input policies and weights."""
