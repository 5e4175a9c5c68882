"""A line in a box: belt, sensors, gate, and a PLC that knows the bridge by Modbus TCP only. See docs/sim-line.md."""
