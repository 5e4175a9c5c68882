"""Every error of the house has a status of its own; none falls through to "unknown"."""

import grpc
import pytest

import lineside.client.errors
import lineside.serve.statuses
from lineside.core import errors
from lineside.serve.statuses import STATUS_OF, error_metadata, status_details, status_of


def the_tree(kind: type[errors.LinesideError] = errors.LinesideError) -> list[type[errors.LinesideError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in the_tree(child))]


def of_the_house(kind: type[errors.LinesideError]) -> bool:
    """Errors that a server can meet: those of the core and of the server itself."""
    return kind.__module__ in (errors.__name__, lineside.serve.statuses.__name__)


@pytest.mark.parametrize("kind", [kind for kind in the_tree() if of_the_house(kind)])
def test_every_error_class_is_mapped_by_name(kind: type[errors.LinesideError]) -> None:
    assert kind in STATUS_OF


@pytest.mark.parametrize("kind", [kind for kind in the_tree(errors.RequestError) if of_the_house(kind)])
def test_what_a_client_asks_wrongly_is_never_our_internal_error(kind: type[errors.LinesideError]) -> None:
    assert STATUS_OF[kind] not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.OK)


@pytest.mark.parametrize("kind", [kind for kind in the_tree(errors.StationFault) if of_the_house(kind)])
def test_a_station_that_cannot_judge_is_unavailable(kind: type[errors.LinesideError]) -> None:
    assert STATUS_OF[kind] is grpc.StatusCode.UNAVAILABLE


def test_the_error_of_a_plug_in_has_the_status_of_its_nearest_known_base() -> None:
    class GlovedCameraLost(errors.CameraLost):
        """A vendor's own."""

    assert status_of(GlovedCameraLost("gone")) is grpc.StatusCode.UNAVAILABLE


def test_a_status_tells_what_was_expected_and_what_to_do() -> None:
    error = errors.InvalidRequest("width_px 0", expected="1 to 65535", remedy="declare the size")

    assert status_details(error) == "width_px 0; expected 1 to 65535; declare the size"


def test_a_long_message_is_cut_to_what_headers_can_hold() -> None:
    error = errors.InvalidRequest("x" * 100_000, expected="\udcff" * 100_000, remedy="y" * 100_000)

    assert len(status_details(error)) < 1_100
    assert sum(len(value) for _, value in error_metadata(error)) < 12_000
