"""Bytes in, bytes out: rewrite .tflite models into sparse, quantized and compressed ones."""
