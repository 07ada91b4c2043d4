"""Quantization: the schemes, the main engine (TFLiteConverter) and the second one."""
