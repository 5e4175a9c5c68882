"""A fake station as a process: `python fake_station.py VERDICTS_PER_SECOND` writes its address to stderr and serves."""

import asyncio
import sys

from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation


async def main(verdicts_per_s: float) -> None:
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0"))
    await server.start()
    sys.stderr.write(server.addresses[0] + "\n")
    sys.stderr.flush()
    while True:
        await asyncio.sleep(1 / verdicts_per_s)
        station.add_verdicts(1)


asyncio.run(main(float(sys.argv[1])))
