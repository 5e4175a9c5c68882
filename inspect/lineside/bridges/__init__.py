"""Bridges: programs that are nothing but clients of a station's stream, each with one PLC face. See docs/plc.md."""
