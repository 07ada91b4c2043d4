"""What edgekit does to a model after the converter has quantized it.

It works on two files that are the same model, the float .tflite and the integer one, so it
serves every source, and BatchNorm is already folded.

1. `pair` matches the layers with weights of both files.
2. `walk` runs a file operator by operator with all samples side by side; `taps` is what the
   weights of a layer are multiplied with.
3. `biases` corrects biases, layer after layer, with quantized activations in the loop.
4. `equalize` evens out the channels of the float file: `channels` finds what can be scaled
   together, `scales` by how much, `dead` what is never used, `patching` writes it.
5. `rounding` rounds weights by the covariance of their taps.
6. `estimators` and `ranges` choose and set ranges of activations, `logits` those of the last
   layer.
7. `judge` says how near a model is to the float one; `improve` goes through the steps and
   keeps what helps.
8. `diagnosis` says how each layer fares and why, `keep_float` which ones to leave in float.
"""
