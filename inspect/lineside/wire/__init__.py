"""The wire: generated messages in `v1`, and the codec between them and the core."""
