"""The gRPC server of a station. `server.py` is the way in, `service.py` has the calls."""

from lineside.serve.options import ServeOptions
from lineside.serve.server import InspectionServer

__all__ = ["InspectionServer", "ServeOptions"]
