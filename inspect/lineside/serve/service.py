"""What a station answers to each call of the wire. Every method is named as in the .proto, in snake case."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import AsyncGenerator, AsyncIterator

from lineside.core.errors import FrameError, InspectionError, InvalidRequest, NotFound, OutOfRange
from lineside.core.ports import JournalReader, StationControl, VerdictFeed
from lineside.core.record import VerdictQuery
from lineside.core.verdict import Judgement, Outcome
from lineside.serve import arguments
from lineside.serve.image_requests import ImageRequests
from lineside.serve.options import ServeOptions
from lineside.serve.pushed_frames import PushedFrames
from lineside.serve.readers import Readers
from lineside.serve.status_message import status_message
from lineside.serve.statuses import ArchivedImageDamaged
from lineside.serve.verdict_stream import VerdictStream
from lineside.wire.codec import encode_judgement, identity_message, wire_pixel_format
from lineside.wire.splice import spliced
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["InspectionService"]

_MAX_PAGE = 1000
_DEFAULT_PAGE = 100
_MAX_PAGE_BYTES = 2 * 1024 * 1024  # half of what gRPC clients take by default
_IMAGE_CHUNK_BYTES = 256 * 1024


class InspectionService:
    """The calls of one station. Requests come parsed; what they contain is checked here, before the station sees it."""

    def __init__(
        self,
        control: StationControl,
        feed: VerdictFeed,
        journal: JournalReader,
        readers: Readers,
        options: ServeOptions,
    ) -> None:
        status = control.status()
        self._control = control
        self._feed = feed
        self._journal = journal
        self._readers = readers
        self._station_id = status.station_id
        self._boot_id = status.boot_id
        self._stream = VerdictStream(feed, journal, readers, options, boot_id=status.boot_id)
        self._image_requests = ImageRequests(max_bytes=options.max_image_bytes)
        self.pushed_frames = PushedFrames(
            control, self._image_requests, self._check_station, max_in_flight=options.max_pushed_in_flight
        )

    def _check_station(self, station_id: str) -> None:
        if station_id and station_id != self._station_id:
            raise NotFound(
                f"no station {station_id[:100]!r} here",
                expected=repr(self._station_id),
                remedy="leave station_id empty, or call the address of that station",
            )

    async def stream_verdicts(self, request: pb.StreamVerdictsRequest, peer: str) -> AsyncGenerator[bytes, None]:
        self._check_station(request.station_id)
        messages = self._stream.follow(request, peer)
        try:
            async for message in messages:
                yield message
        finally:
            await messages.aclose()

    async def acknowledge_verdicts(
        self, request: pb.AcknowledgeVerdictsRequest, peer: str
    ) -> pb.AcknowledgeVerdictsResponse:
        self._check_station(request.station_id)
        reader = arguments.reader_name(request.reader)
        arguments.not_negative(request.sequence, "sequence")
        if request.sequence > self._feed.last_sequence:
            raise OutOfRange(
                f"reader {reader!r} acknowledges sequence {request.sequence}",
                expected=f"at most {self._feed.last_sequence}, the newest there is",
                remedy="acknowledge only verdicts of this station",
            )
        sequence = await self._journal.acknowledge(reader, request.sequence)
        self._readers.acknowledge(reader, sequence)
        return pb.AcknowledgeVerdictsResponse(sequence=sequence)

    async def trigger_inspection(self, request: pb.TriggerInspectionRequest, peer: str) -> bytes:
        self._check_station(request.station_id)
        trigger = await self._control.trigger(
            part_id=arguments.part_id(request.part_id),
            encoder_count=arguments.encoder_count(request),
            due_ms=arguments.due_ms(request),
            request_id=arguments.short_text(request.request_id, "request_id"),
        )
        response = pb.TriggerInspectionResponse(trigger_number=trigger.number, boot_id=self._boot_id)
        if not request.wait:
            return response.SerializeToString()
        record = await self._control.verdict_of(trigger.number)
        response.late = time.monotonic_ns() > trigger.due_mono_ns
        return response.SerializeToString() + spliced(response.VERDICT_FIELD_NUMBER, record.payload)

    async def inspect_image(self, request: pb.InspectImageRequest, peer: str) -> pb.InspectImageResponse:
        self._check_station(request.station_id)
        try:
            async with self._image_requests.admitted(request) as images:
                judgement = await self._control.inspect(images)
        except FrameError:
            raise  # what the client sent is damaged: its mistake
        except InspectionError as error:  # the model could not answer: an answer all the same, as on the line
            judgement = Judgement.not_inspected(error.reason, str(error))
        status = self._control.status()
        return encode_judgement(judgement, recipe=status.recipe, calibration=status.calibration)

    def push_frames(self, requests: AsyncIterator[pb.PushFramesRequest], peer: str) -> AsyncGenerator[bytes, None]:
        return self.pushed_frames.converse(requests)

    async def get_verdict(self, request: pb.GetVerdictRequest, peer: str) -> bytes:
        self._check_station(request.station_id)
        match request.WhichOneof("by"):
            case "sequence":
                record = await self._journal.get(sequence=arguments.positive(request.sequence, "sequence"))
            case "trigger_number":
                trigger_number = arguments.positive(request.trigger_number, "trigger_number")
                record = await self._journal.get(trigger_number=trigger_number)
            case _:
                raise InvalidRequest("the request names no verdict", expected="sequence or trigger_number")
        images = [
            pb.ArchivedImage(
                image_id=image.image_id,
                view=image.view,
                state=image.state,
                size_bytes=image.size_bytes,
                sha256=image.sha256,
            )
            for image in await self._journal.images_of(record.trigger_number)
        ]
        response = pb.GetVerdictResponse(images=images)
        return spliced(response.VERDICT_FIELD_NUMBER, record.payload) + response.SerializeToString()

    async def list_verdicts(self, request: pb.ListVerdictsRequest, peer: str) -> bytes:
        self._check_station(request.station_id)
        page_size = request.page_size or _DEFAULT_PAGE
        if not 1 <= page_size <= _MAX_PAGE:
            raise InvalidRequest(f"page_size {page_size}", expected=f"1 to {_MAX_PAGE}, or 0 for {_DEFAULT_PAGE}")
        query = VerdictQuery(
            after_sequence=arguments.not_negative(request.after_sequence, "after_sequence"),
            limit=page_size + 1,  # one more shows whether there is another page
            max_bytes=_MAX_PAGE_BYTES,
            outcomes=tuple(_outcome(number) for number in request.outcomes),
            part_id=arguments.part_id(request.part_id),
            from_utc_ns=arguments.not_negative(request.from_utc_ns, "from_utc_ns"),
            to_utc_ns=arguments.not_negative(request.to_utc_ns, "to_utc_ns"),
            newest_first=request.newest_first,
        )
        records = await self._journal.list(query)
        page: list[bytes] = []
        page_bytes = 0
        for record in records[:page_size]:
            page_bytes += len(record.payload)
            if page and page_bytes > _MAX_PAGE_BYTES:
                break
            page.append(spliced(pb.ListVerdictsResponse.VERDICTS_FIELD_NUMBER, record.payload))
        more = len(records) > len(page)
        rest = pb.ListVerdictsResponse(next_after_sequence=records[len(page) - 1].sequence if more else 0)
        return b"".join((*page, rest.SerializeToString()))

    async def get_image(self, request: pb.GetImageRequest, peer: str) -> AsyncGenerator[pb.GetImageResponse, None]:
        self._check_station(request.station_id)
        image_id = arguments.short_text(request.image_id, "image_id", max_chars=512)
        try:
            record, content = await self._journal.image(image_id)
        except FrameError as error:
            raise ArchivedImageDamaged(error.what, expected=error.expected, remedy=error.remedy) from error
        description = pb.ImageDescription(
            image_id=record.image_id,
            pixel_format=wire_pixel_format(record.pixel_format),
            width_px=record.width_px,
            height_px=record.height_px,
            media_type=mimetypes.guess_type(record.path)[0] or "application/octet-stream",
            sha256=record.sha256,
            size_bytes=len(content),
        )
        yield pb.GetImageResponse(description=description, chunk=content[:_IMAGE_CHUNK_BYTES])
        for start in range(_IMAGE_CHUNK_BYTES, len(content), _IMAGE_CHUNK_BYTES):
            yield pb.GetImageResponse(chunk=content[start : start + _IMAGE_CHUNK_BYTES])

    async def get_station_status(self, request: pb.GetStationStatusRequest, peer: str) -> pb.GetStationStatusResponse:
        self._check_station(request.station_id)
        status = self._control.status()
        return status_message(status, self._readers.statuses(status.last_sequence))

    async def change_recipe(self, request: pb.ChangeRecipeRequest, peer: str) -> pb.ChangeRecipeResponse:
        self._check_station(request.station_id)
        recipe = await self._control.change_recipe(
            arguments.short_text(request.recipe_id, "recipe_id"),
            requested_by=arguments.short_text(request.requested_by, "requested_by"),
        )
        return pb.ChangeRecipeResponse(recipe=identity_message(recipe))

    async def start_self_test(self, request: pb.StartSelfTestRequest, peer: str) -> pb.StartSelfTestResponse:
        self._check_station(request.station_id)
        if request.check_calibration:
            by = arguments.short_text(request.requested_by, "requested_by")
            view = arguments.short_text(request.view, "view")
            passed, detail, records = await self._control.check_calibration(requested_by=by, view=view)
            return pb.StartSelfTestResponse(passed=passed, detail=detail, check_records=records)
        passed, detail = await self._control.self_test()
        return pb.StartSelfTestResponse(passed=passed, detail=detail)

    async def pause_station(self, request: pb.PauseStationRequest, peer: str) -> pb.PauseStationResponse:
        self._check_station(request.station_id)
        await self._control.pause(
            requested_by=arguments.short_text(request.requested_by, "requested_by"),
            why=arguments.short_text(request.why, "why", max_chars=1000),
        )
        return pb.PauseStationResponse()

    async def resume_station(self, request: pb.ResumeStationRequest, peer: str) -> pb.ResumeStationResponse:
        self._check_station(request.station_id)
        await self._control.resume(requested_by=arguments.short_text(request.requested_by, "requested_by"))
        return pb.ResumeStationResponse()


def _outcome(number: int) -> Outcome:
    if number not in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED):
        raise InvalidRequest(f"outcome {number}", expected="PASS, FAIL or NOT_INSPECTED")
    return Outcome(number)
