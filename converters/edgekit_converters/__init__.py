"""edgekit's heavy half: import, prune, quantize and export models, with TensorFlow."""
