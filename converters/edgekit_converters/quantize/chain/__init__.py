"""What edgekit does to a model after the converter has quantized it.

It works on two files that are the same model, the float .tflite and the integer one, so it
serves every source, and BatchNorm is already folded.

1. `pair` matches the layers with weights of both files.
2. `walk` runs a file operator by operator with all samples side by side.
3. `biases` corrects biases, layer after layer, with quantized activations in the loop.
"""
