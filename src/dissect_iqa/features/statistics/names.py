"""The names of the statistics, apart from their code, which needs torch."""

#: Of every picture, in order.
IMAGE_STATISTICS = ("mean", "var")

#: Of every pair, in order.
PAIR_STATISTICS = ("mse", "unit_mse")

#: All of them, in the order in which they are computed and stored.
STATISTICS = (*IMAGE_STATISTICS, *PAIR_STATISTICS)
