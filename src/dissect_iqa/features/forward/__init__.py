"""A network run over pictures, layer by layer: order, device, hooks and the loop."""
