"""Makes model packages out of pictures of good parts. `template` needs no torch."""
