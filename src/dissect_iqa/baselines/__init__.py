"""Classic and learned metrics that the layers of a network are compared with."""
