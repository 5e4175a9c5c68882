"""Model packages, the ONNX Runtime session, and one decoder per kind of output."""

import os

# The published wheels of ONNX Runtime (seen in 1.32) report on machine and graphs to their maker, and keep a
# device id on disk. Nothing leaves a line unasked: this must be set before the module is first imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
