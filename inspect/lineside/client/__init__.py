"""The client of a station, for bridges, pages and scripts. See docs/client.md.

Results are the wire's own messages (`lineside.wire.v1.inspection_pb2`, typed): nothing that a newer station adds is
lost on the way. Their enums compare equal to `Outcome` and `Reason`. Errors are those of `lineside.core.errors`.
"""

from lineside.client.errors import StationUnreachable
from lineside.client.images import image_of_array, image_of_file
from lineside.client.station_client import StationClient
from lineside.client.verdicts import VerdictReader
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

__all__ = [
    "Outcome",
    "Reason",
    "StationClient",
    "StationUnreachable",
    "VerdictReader",
    "image_of_array",
    "image_of_file",
]
