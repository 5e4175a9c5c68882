"""Modbus TCP: the PLC is the client, this bridge the server."""
