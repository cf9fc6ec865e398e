"""From wherever weights are published to one safetensors file that fits its architecture."""
