"""How much of its agreement with people each layer and metric keeps on misaligned pictures."""
