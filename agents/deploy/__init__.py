"""Policies for a controller: ONNX files and what runs them."""
