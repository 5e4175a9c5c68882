"""One station, by gRPC."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import grpc

from lineside.client.errors import error_of
from lineside.client.images import image_of_array, image_of_file
from lineside.client.pushing import push
from lineside.client.verdicts import VerdictReader
from lineside.core.errors import FrameError, NotOffered, StationFault
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Outcome
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

__all__ = ["StationClient"]

Answer = TypeVar("Answer")

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024


_LOADING_S = 300.0
"""A large model with TensorRT may be built anew when it is loaded."""


class StationClient:
    """Calls one station at "host:port" or "unix:///path". Used on the event loop that opened it.

    `station_id` may be given to make sure that the right one answers; `timeout_s` is how long a single call may take,
    beyond the due time that it waits for. Every method raises RequestError kin for wrong requests, StationFault kin
    when the station cannot answer, among them StationUnreachable when it is not there.
    """

    def __init__(self, address: str, *, station_id: str = "", timeout_s: float = 10.0) -> None:
        self.address = address
        self._station_id = station_id
        self._timeout_s = timeout_s
        self._channel: grpc.aio.Channel | None = None
        self._opened: InspectionStub | None = None

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self.address, options=_CHANNEL_ARGUMENTS)
        self._opened = InspectionStub(self._channel)  # type: ignore[no-untyped-call] # generated
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = self._opened = None

    def verdicts(
        self,
        *,
        reader: str = "",
        after_sequence: int | None = None,
        acknowledge: bool = True,
        heartbeat_ms: int = 500,
        max_unacknowledged: int = 0,
    ) -> VerdictReader:
        """The verdicts, each sequence number once and in order, for ever.

        With `reader`, from that reader's cursor, which the station keeps; a verdict is acknowledged when the next one
        is asked for (with `acknowledge=False`, by `StationClient.acknowledge`): one handled just before a crash comes
        again. With `after_sequence`, from there: whoever stores the number together with the effect handles each
        verdict exactly once. With neither, from now on.
        """
        start = pb.StreamVerdictsRequest(
            station_id=self._station_id, heartbeat_ms=heartbeat_ms, max_unacknowledged=max_unacknowledged
        )
        if reader:
            start.reader = reader
        elif after_sequence is not None:
            start.after_sequence = after_sequence
        else:
            start.live_only = True
        return VerdictReader(self._stub, self.address, start, acknowledge=acknowledge)

    async def acknowledge(self, reader: str, sequence: int) -> int:
        """Tells the station that `reader` has handled everything up to `sequence`; returns the cursor."""
        request = pb.AcknowledgeVerdictsRequest(station_id=self._station_id, reader=reader, sequence=sequence)
        response: pb.AcknowledgeVerdictsResponse = await self._answer(
            self._stub.AcknowledgeVerdicts(request, timeout=self._timeout_s)
        )
        return response.sequence

    async def trigger(
        self,
        part_id: str = "",
        *,
        wait: bool = False,
        encoder_count: int | None = None,
        due_ms: int | None = None,
        request_id: str = "",
    ) -> pb.TriggerInspectionResponse:
        """A software trigger; with `wait`, answered with its verdict. The same `request_id` again: the same trigger."""
        request = pb.TriggerInspectionRequest(
            station_id=self._station_id,
            part_id=part_id,
            encoder_count=encoder_count,
            due_ms=due_ms,
            wait=wait,
            request_id=request_id,
        )
        due_s = (due_ms or 0) / 1000 if wait else 0.0
        return await self._answer(self._stub.TriggerInspection(request, timeout=self._timeout_s + due_s))

    async def inspect(
        self, image: Path | Pixels | Sequence[pb.Image], pixel_format: PixelFormat = PixelFormat.MONO8
    ) -> pb.InspectImageResponse:
        """Judges an image file or array on demand; for several views, pass what `image_of_file` and its like return.

        Raises: InvalidRequest or FrameError where the image is damaged or not `pixel_format`.
        """
        if isinstance(image, Path):
            images: Sequence[pb.Image] = [image_of_file(image, pixel_format)]
        elif isinstance(image, Sequence):
            images = image
        else:
            images = [image_of_array(image, pixel_format)]
        request = pb.InspectImageRequest(station_id=self._station_id, images=images)
        return await self._answer(self._stub.InspectImage(request, timeout=self._timeout_s))

    def push_frames(self, frames: AsyncIterable[pb.PushFramesRequest]) -> AsyncGenerator[pb.PushFramesResponse, None]:
        """Sends frames of a remote camera and gives back each one's verdict or refusal, known by its `frame_id`.

        Ends when `frames` has ended and all are answered. The station holds `frames` back when it is busy.
        """
        return push(self._stub.PushFrames(), frames, self.address)

    async def verdict(self, *, sequence: int = 0, trigger_number: int = 0) -> pb.GetVerdictResponse:
        """One verdict, by either number, and what is archived of its images. Raises: NotFound."""
        request = pb.GetVerdictRequest(station_id=self._station_id)
        if sequence:
            request.sequence = sequence
        else:
            request.trigger_number = trigger_number
        return await self._answer(self._stub.GetVerdict(request, timeout=self._timeout_s))

    async def list_verdicts(
        self,
        *,
        after_sequence: int = 0,
        limit: int = 100,
        outcomes: Sequence[Outcome] = (),
        part_id: str = "",
        from_utc_ns: int = 0,
        to_utc_ns: int = 0,
        newest_first: bool = False,
    ) -> AsyncGenerator[pb.Verdict, None]:
        """Journalled verdicts, at most `limit`, in pages. With `newest_first`, `after_sequence` means before."""
        while limit > 0:
            request = pb.ListVerdictsRequest(
                station_id=self._station_id,
                after_sequence=after_sequence,
                page_size=min(limit, 1000),
                outcomes=[cast(pb.Outcome, outcome) for outcome in outcomes],
                part_id=part_id,
                from_utc_ns=from_utc_ns,
                to_utc_ns=to_utc_ns,
                newest_first=newest_first,
            )
            page = await self._answer(self._stub.ListVerdicts(request, timeout=self._timeout_s))
            for verdict in page.verdicts:
                yield verdict
            limit -= len(page.verdicts)
            after_sequence = page.next_after_sequence
            if not after_sequence:
                return

    async def image(self, image_id: str) -> tuple[pb.ImageDescription, bytes]:
        """An archived image file, its checksum verified here once more. Raises: NotFound, FrameError when damaged."""
        call = self._stub.GetImage(pb.GetImageRequest(station_id=self._station_id, image_id=image_id))
        description, content = pb.ImageDescription(), bytearray()
        try:
            async for part in call:
                if part.HasField("description"):
                    description = part.description
                content += part.chunk
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.address) from error
        finally:
            call.cancel()
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != description.sha256:
            raise FrameError(f"image {image_id} arrived with SHA-256 {sha256}", expected=description.sha256)
        return description, bytes(content)

    async def status(self) -> pb.GetStationStatusResponse:
        """The whole station now."""
        request = pb.GetStationStatusRequest(station_id=self._station_id)
        return await self._answer(self._stub.GetStationStatus(request, timeout=self._timeout_s))

    async def pause(self, *, requested_by: str, why: str) -> None:
        """From now on every trigger is answered NOT_INSPECTED(OPERATOR_OFFLINE)."""
        request = pb.PauseStationRequest(station_id=self._station_id, requested_by=requested_by, why=why)
        await self._answer(self._stub.PauseStation(request, timeout=self._timeout_s))

    async def resume(self, *, requested_by: str) -> None:
        """Ends a pause."""
        request = pb.ResumeStationRequest(station_id=self._station_id, requested_by=requested_by)
        await self._answer(self._stub.ResumeStation(request, timeout=self._timeout_s))

    async def change_recipe(self, recipe_id: str, *, requested_by: str) -> pb.Identity:
        """Loads another recipe beside the running one, checks it on the golden parts and switches between two triggers.

        May take as long as a model takes to load. Raises: ConfigError or NotReady when the old one stays, and why.
        """
        request = pb.ChangeRecipeRequest(station_id=self._station_id, recipe_id=recipe_id, requested_by=requested_by)
        response: pb.ChangeRecipeResponse = await self._answer(self._stub.ChangeRecipe(request, timeout=_LOADING_S))
        return response.recipe

    async def self_test(self) -> pb.StartSelfTestResponse:
        """Judges the golden parts by the inspectors at work, after the line's own parts."""
        request = pb.StartSelfTestRequest(station_id=self._station_id)
        return await self._answer(self._stub.StartSelfTest(request, timeout=_LOADING_S))

    async def check_calibration(self, *, requested_by: str, view: str = "") -> pb.StartSelfTestResponse:
        """Takes one picture of each view (or of one alone), of no part, and holds it against the calibration.

        Raises: NotReady while the station judges parts; NotOffered by one of an earlier version.
        """
        request = pb.StartSelfTestRequest(
            station_id=self._station_id, check_calibration=True, requested_by=requested_by, view=view
        )
        answer: pb.StartSelfTestResponse = await self._answer(self._stub.StartSelfTest(request, timeout=_LOADING_S))
        if not answer.check_records:  # it did not know the field, and judged its golden parts
            raise NotOffered("this station cannot check its calibration", remedy="update it, or stop it to check")
        return answer

    @property
    def _stub(self) -> InspectionStub:
        if self._opened is None:
            raise StationFault("the client is not open", remedy="use it as `async with StationClient(...) as station:`")
        return self._opened

    async def _answer(self, call: Awaitable[Answer]) -> Answer:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.address) from error


_CHANNEL_ARGUMENTS = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # what may be repeated is decided here, knowingly
    ("grpc.use_local_subchannel_pool", 1),
    # Back within 300 ms of a station's return, and a dead one noticed within 2 s (the server's figures, for ours).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    # Despite its name this is how long one attempt to connect may take: a station that is merely busy is not gone.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 800),
    ("grpc.keepalive_timeout_ms", 700),
    ("grpc.http2.ping_timeout_ms", 700),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
