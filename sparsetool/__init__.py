"""sparsetool: the smallest .tflite file that still runs, and runs right."""

__version__ = "0.1.0"
