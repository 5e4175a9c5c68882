"""Geometry on frames and score maps: where a finding lies, and how large it is."""
