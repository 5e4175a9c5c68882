"""Lineside looks at every part on a factory line and tells the line's controller pass or fail in time, every time."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("lineside")
