"""A policy as one ONNX file."""
