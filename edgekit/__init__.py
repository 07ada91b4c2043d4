"""edgekit: Keras models to verified, measured int8 models on small devices."""
