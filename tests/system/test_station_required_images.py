"""A recipe may demand the evidence: without an archived image there is no PASS and no FAIL."""

from pathlib import Path

from small_project import journal_rows, make_project, running

from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

CAMERA = 'backend = "simulated"\nproduct = "plate"\ncount = 20\nprerendered = 4'


def inspect_all(station: Path) -> list[tuple[int, int]]:
    with running(station, "--until-end") as process:
        assert process.wait() == 0
    return journal_rows(station.parents[2], "SELECT outcome, reason FROM verdicts ORDER BY sequence")


def test_with_required_images_each_verdict_finds_its_image_in_the_archive(tmp_path):
    """Every part has its verdict and its image, stored before the verdict."""
    station = make_project(tmp_path, camera=CAMERA, recipe="[images]\npass_share = 1.0\nrequired = true")

    verdicts = inspect_all(station)

    assert 20 == len(verdicts)
    assert {int(Outcome.NOT_INSPECTED)}.isdisjoint(outcome for outcome, _ in verdicts)
    assert [("kept", 20)] == journal_rows(tmp_path, "SELECT state, count(*) FROM images GROUP BY state")


def test_a_part_whose_required_image_cannot_be_stored_is_not_inspected(tmp_path):
    """The archive has no room by declaration: nothing may pass, and the reason is told."""
    station = make_project(tmp_path, camera=CAMERA, recipe="[images]\npass_share = 1.0\nrequired = true")
    station.write_text(station.read_text().replace("min_free_bytes = 0", "min_free_bytes = 0\nmax_bytes = 1"))

    verdicts = inspect_all(station)

    expected = (int(Outcome.NOT_INSPECTED), int(Reason.ARCHIVE_FAILED))
    assert expected == verdicts[-1]
    assert 20 == len(verdicts)
