"""Read networks layer by layer and keep what distances need: channel statistics, in one file."""
