"""Model packages, the ONNX Runtime session, and one decoder per kind of output."""
