"""Builders and fakes, shipped for those who write plug-ins, bridges and clients."""

from lineside.testing.fake_detector import FakeDetector
from lineside.testing.fake_station import FakeStation

__all__ = ["FakeDetector", "FakeStation"]
