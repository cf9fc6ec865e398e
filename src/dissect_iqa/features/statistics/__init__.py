"""Channel statistics of a layer's output, and the backends that compute them."""
