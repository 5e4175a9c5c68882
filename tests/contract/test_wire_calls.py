"""Every other call of the wire, through the client, over a real socket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from waiting import until

from lineside.client import Outcome, Reason, StationClient, image_of_array, image_of_file
from lineside.core.errors import FrameError, InvalidRequest, NotFound, StationFault
from lineside.core.pixel_format import PixelFormat
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

PNG = b"\x89PNG\r\n\x1a\n" + bytes(600_000)
DARK = np.zeros((3, 4), np.uint8)
BRIGHT = np.full((3, 4), 200, np.uint8)


@pytest.fixture
def station() -> FakeStation:
    return FakeStation()


@pytest.fixture
async def server(station: FakeStation) -> AsyncIterator[InspectionServer]:
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0", max_pushed_in_flight=4))
    await server.start()
    yield server
    await server.stop(grace_s=0.2)


@pytest.fixture
async def client(server: InspectionServer) -> AsyncIterator[StationClient]:
    async with StationClient(server.addresses[0]) as client:
        yield client


async def test_a_trigger_is_accepted_with_its_number_and_everything_that_came_with_it(
    station: FakeStation, client: StationClient
) -> None:
    answer = await client.trigger("P-1", encoder_count=-17, due_ms=50)
    verdict = (await client.verdict(trigger_number=answer.trigger_number)).verdict

    assert (answer.trigger_number, answer.HasField("verdict")) == (1, False)
    assert (verdict.part_id, verdict.encoder_count, verdict.due_ns) == ("P-1", -17, 50_000_000)
    assert answer.boot_id == verdict.boot_id == station.status().boot_id


async def test_a_trigger_that_waits_is_answered_with_its_verdict(client: StationClient) -> None:
    answer = await client.trigger("bad-1", wait=True)

    assert (answer.verdict.outcome, answer.verdict.reason) == (Outcome.FAIL, Reason.DEFECTS)
    assert [defect.class_name for defect in answer.verdict.defects] == ["scratch"]


async def test_the_same_request_id_again_is_the_same_trigger(client: StationClient) -> None:
    numbers = [(await client.trigger(request_id="r-1")).trigger_number for _ in range(3)]

    assert [*numbers, (await client.trigger(request_id="r-2")).trigger_number] == [1, 1, 1, 2]


async def test_a_client_that_goes_away_while_it_waits_loses_no_part(
    station: FakeStation, client: StationClient
) -> None:
    station.hold()
    waiting = asyncio.create_task(client.trigger("P-1", wait=True))
    await until(lambda: station.status().counters.in_flight == 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    station.release()
    record = await station.verdict_of(1)

    assert (record.part_id, record.outcome) == ("P-1", Outcome.PASS)


async def test_an_array_is_judged_on_demand_and_nothing_is_recorded(
    station: FakeStation, client: StationClient
) -> None:
    outcomes = [(await client.inspect(pixels)).outcome for pixels in (DARK, BRIGHT)]

    assert outcomes == [Outcome.PASS, Outcome.FAIL]
    assert (station.last_sequence, station.status().counters.triggers) == (0, 0)


async def test_rows_with_padding_are_accepted_when_the_stride_says_so(client: StationClient) -> None:
    raw = pb.RawPixels(data=bytes(3 * 16), width_px=4, height_px=3, stride_bytes=16)
    answer = await client.inspect([pb.Image(raw=raw, pixel_format=pb.PIXEL_FORMAT_MONO8)])

    assert answer.outcome == Outcome.PASS


async def test_a_file_is_judged_and_a_damaged_one_is_the_clients_mistake(client: StationClient, tmp_path: Path) -> None:
    good, damaged = tmp_path / "good.png", tmp_path / "damaged.png"
    good.write_bytes(PNG)
    damaged.write_bytes(b"no image")

    assert (await client.inspect(good)).outcome == Outcome.PASS
    with pytest.raises(FrameError, match="no image file"):
        await client.inspect(damaged)
    with pytest.raises(FrameError, match="cannot be read"):
        image_of_file(tmp_path / "absent.png", PixelFormat.MONO8)
    with pytest.raises(FrameError, match="float64"):
        image_of_array(np.zeros((3, 4)), PixelFormat.MONO8)  # type: ignore[arg-type]


async def test_every_pushed_frame_gets_one_answer_and_a_refused_one_stops_nothing(
    station: FakeStation, client: StationClient
) -> None:
    async def frames() -> AsyncIterator[pb.PushFramesRequest]:
        for number in range(1, 41):
            image = image_of_array(BRIGHT if number % 10 == 0 else DARK, PixelFormat.MONO8)
            image.view = "bottom" if number % 7 == 0 else ""
            yield pb.PushFramesRequest(images=[image], part_id=f"R-{number}", frame_id=number)

    answers = {answer.frame_id: answer async for answer in client.push_frames(frames())}
    refused = [number for number, answer in sorted(answers.items()) if answer.error]
    failed = [number for number, answer in sorted(answers.items()) if answer.verdict.outcome == Outcome.FAIL]

    assert sorted(answers) == list(range(1, 41))
    assert refused == [7, 14, 21, 28, 35]
    assert failed == [10, 20, 30, 40]
    assert "no view 'bottom'" in answers[7].error
    assert all(answer.verdict.part_id == f"R-{number}" for number, answer in answers.items() if not answer.error)
    assert station.status().counters.triggers == 35


async def test_no_more_pushed_frames_are_taken_than_may_be_in_flight(
    station: FakeStation, client: StationClient
) -> None:
    station.hold()

    async def frames() -> AsyncIterator[pb.PushFramesRequest]:
        for number in range(1, 13):
            yield pb.PushFramesRequest(images=[image_of_array(DARK, PixelFormat.MONO8)], frame_id=number)

    async def push() -> list[int]:
        return [answer.frame_id async for answer in client.push_frames(frames())]

    pushing = asyncio.create_task(push())
    await until(lambda: station.status().counters.in_flight == 4)
    await asyncio.sleep(0.1)
    in_flight = station.status().counters.in_flight
    station.release()

    assert in_flight == 4
    assert sorted(await pushing) == list(range(1, 13))


async def test_a_camera_that_fails_while_it_pushes_ends_the_call_with_its_own_error(client: StationClient) -> None:
    async def frames() -> AsyncIterator[pb.PushFramesRequest]:
        yield pb.PushFramesRequest(images=[image_of_array(DARK, PixelFormat.MONO8)], frame_id=1)
        raise OSError("the cable was pulled")

    with pytest.raises(OSError, match="cable"):
        async for answer in client.push_frames(frames()):
            assert answer.frame_id == 1


async def test_a_server_that_stops_answers_the_pushed_frames_in_flight(
    station: FakeStation, server: InspectionServer, client: StationClient
) -> None:
    station.hold()
    never = asyncio.Event()

    async def frames() -> AsyncIterator[pb.PushFramesRequest]:
        for number in (1, 2):
            yield pb.PushFramesRequest(images=[image_of_array(DARK, PixelFormat.MONO8)], frame_id=number)
        await never.wait()

    answered: list[int] = []

    async def push() -> None:
        async for answer in client.push_frames(frames()):
            answered.append(answer.frame_id)

    pushing = asyncio.create_task(push())
    await until(lambda: station.status().counters.in_flight == 2)
    stopping = asyncio.create_task(server.stop(grace_s=5.0))
    await asyncio.sleep(0.05)
    station.release()

    with pytest.raises(StationFault, match="stops"):
        await pushing
    await stopping
    assert sorted(answered) == [1, 2]


async def test_one_verdict_is_found_by_either_number_with_its_images(
    station: FakeStation, client: StationClient
) -> None:
    station.add_verdicts(3)
    image_id = station.keep_image(2, PNG)
    by_sequence, by_trigger = await client.verdict(sequence=2), await client.verdict(trigger_number=2)

    assert by_sequence == by_trigger
    assert by_sequence.verdict.part_id == "P-2"
    assert [(image.image_id, image.state) for image in by_sequence.images] == [(image_id, "kept")]
    with pytest.raises(NotFound):
        await client.verdict(sequence=4)


async def test_a_list_goes_on_from_page_to_page_without_a_gap_or_a_repetition(
    station: FakeStation, client: StationClient
) -> None:
    station.add_verdicts(2_050)
    oldest_first = [verdict.sequence async for verdict in client.list_verdicts(limit=5_000)]
    newest = [verdict.sequence async for verdict in client.list_verdicts(limit=3, newest_first=True)]

    assert oldest_first == list(range(1, 2_051))
    assert newest == [2_050, 2_049, 2_048]


async def test_a_page_stays_below_what_clients_take_by_default(station: FakeStation, server: InspectionServer) -> None:
    for _ in range(20):
        station.add_verdicts(1, part_prefix="x" * 200_000)
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        page = await InspectionStub(channel).ListVerdicts(pb.ListVerdictsRequest())  # type: ignore[no-untyped-call]

    assert 1 <= len(page.verdicts) < 20
    assert page.next_after_sequence == page.verdicts[-1].sequence


async def test_a_list_can_be_narrowed_by_outcome_part_and_time(station: FakeStation, client: StationClient) -> None:
    station.add_verdicts(3)
    station.add_verdicts(2, part_prefix="bad")
    fourth = (await client.verdict(sequence=4)).verdict
    failed = [v.sequence async for v in client.list_verdicts(outcomes=[Outcome.FAIL, Outcome.NOT_INSPECTED])]
    of_part = [v.sequence async for v in client.list_verdicts(part_id="P-2")]
    later = [v.sequence async for v in client.list_verdicts(from_utc_ns=fourth.decided_utc_ns)]

    assert (failed, of_part, later) == ([4, 5], [2], [4, 5])


async def test_an_image_comes_back_whole_with_its_description(station: FakeStation, client: StationClient) -> None:
    station.add_verdicts(1)
    description, content = await client.image(station.keep_image(1, PNG))

    assert content == PNG
    assert description.media_type == "image/png"
    assert (description.width_px, description.height_px, description.size_bytes) == (4, 3, len(PNG))
    assert description.sha256 == hashlib.sha256(PNG).hexdigest()


async def test_a_damaged_archived_image_is_data_loss_and_not_the_clients_mistake(
    station: FakeStation, server: InspectionServer
) -> None:
    station.damage_image(image_id := station.keep_image(1, PNG))
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        stub = InspectionStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as damaged:
            await stub.GetImage(pb.GetImageRequest(image_id=image_id)).read()

    assert damaged.value.code() is grpc.StatusCode.DATA_LOSS


async def test_a_paused_station_answers_not_inspected_and_remembers_who_asked(client: StationClient) -> None:
    await client.pause(requested_by="Kim", why="change of shift")
    paused, status = (await client.trigger(wait=True)).verdict, await client.status()
    await client.resume(requested_by="Kim")
    resumed = (await client.trigger(wait=True)).verdict

    assert (paused.outcome, paused.reason) == (Outcome.NOT_INSPECTED, Reason.OPERATOR_OFFLINE)
    assert (status.paused, status.events[-1].detail) == (True, "Kim: change of shift")
    assert resumed.outcome == Outcome.PASS


async def test_the_status_counts_every_part_once(station: FakeStation, client: StationClient) -> None:
    station.add_verdicts(5)
    station.add_verdicts(2, part_prefix="bad")
    counters = (await client.status()).counters

    assert (counters.triggers, getattr(counters, "pass"), counters.fail, counters.in_flight) == (7, 5, 2, 0)


async def test_what_the_station_does_not_offer_is_said_as_such(server: InspectionServer) -> None:
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        stub = InspectionStub(channel)  # type: ignore[no-untyped-call]
        for call in (
            stub.ChangeRecipe(pb.ChangeRecipeRequest(recipe_id="other")),
            stub.StartSelfTest(pb.StartSelfTestRequest()),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_errors_come_back_to_the_client_as_what_they_were_in_three_parts(client: StationClient) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await client.trigger(due_ms=0)

    assert refused.value.what == "due_ms 0"
    assert refused.value.expected.startswith("1 to ")


async def test_another_stations_id_is_not_found(server: InspectionServer) -> None:
    async with StationClient(server.addresses[0], station_id="station-9") as client:
        with pytest.raises(NotFound, match="station-9"):
            await client.status()


async def test_a_mistake_of_ours_is_internal_and_the_server_goes_on(server: InspectionServer) -> None:
    class Station(FakeStation):
        async def self_test(self) -> tuple[bool, str]:
            raise ZeroDivisionError("a mistake in Lineside")

    faulty = Station()
    other = InspectionServer(faulty, faulty, faulty, ServeOptions(tcp="127.0.0.1:0"))
    await other.start()
    try:
        async with grpc.aio.insecure_channel(other.addresses[0]) as channel:
            stub = InspectionStub(channel)  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stub.StartSelfTest(pb.StartSelfTestRequest())
            assert failed.value.code() is grpc.StatusCode.INTERNAL
            assert "ZeroDivisionError" in (failed.value.details() or "")
            assert (await stub.GetStationStatus(pb.GetStationStatusRequest())).ready
    finally:
        await other.stop(grace_s=0.2)


async def test_health_follows_ready_for_the_station_by_name_and_overall(
    station: FakeStation, server: InspectionServer
) -> None:
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        health = health_pb2_grpc.HealthStub(channel)  # type: ignore[no-untyped-call]
        watch = health.Watch(health_pb2.HealthCheckRequest(service="station-1"))
        seen = [(await watch.read()).status]
        station.ready = False
        seen.append((await watch.read()).status)
        overall = (await health.Check(health_pb2.HealthCheckRequest())).status
        station.ready = True
        seen.append((await watch.read()).status)
        watch.cancel()

    assert seen == [serving, not_serving, serving]
    assert overall == not_serving


async def test_reflection_names_the_services(server: InspectionServer) -> None:
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[no-untyped-call]
        call = reflection.ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()

    names = {service.name for service in answer.list_services_response.service}
    assert {"lineside.wire.v1.Inspection", "grpc.health.v1.Health"} <= names


async def test_a_client_that_was_not_opened_says_how_to_open_it() -> None:
    with pytest.raises(StationFault, match="async with"):
        await StationClient("127.0.0.1:1").status()
