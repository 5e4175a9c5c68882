"""Cameras: where frames come from. One file per backend, each with its config class and its camera."""
