"""Recipe and station files: read, checked to the line, turned into the words of the core."""
