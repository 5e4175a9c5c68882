"""`lineside recipe use` and `lineside self-test`."""

from __future__ import annotations

from typing import Annotated

import typer

from lineside.client import StationClient
from lineside.commands.pause import ByOption
from lineside.commands.station_option import DEFAULT_STATION, StationOption, by_default, ends_quietly, output

__all__ = ["recipe_app", "self_test"]

recipe_app = typer.Typer(no_args_is_help=True, help="Change what a running station inspects.")


@recipe_app.callback()
def _recipe() -> None:
    """Change what a running station inspects."""


@recipe_app.command("use")
def use(
    recipe_id: Annotated[str, typer.Argument(help="A recipe of the station's project, by its id.")],
    by: ByOption = "",
    station: StationOption = DEFAULT_STATION,
) -> None:
    """Load a recipe beside the running one, check it on the golden parts, and switch between two triggers.

    No part is missed. If anything fails the old recipe stays, and the reason is told.
    """

    async def work() -> None:
        async with StationClient(station) as client:
            recipe = await client.change_recipe(recipe_id, requested_by=by or by_default())
        output().print(
            f"now inspecting with {recipe.id} revision {recipe.revision} ({recipe.sha256[:12]})", markup=False
        )

    ends_quietly(work())


def self_test(station: StationOption = DEFAULT_STATION) -> None:
    """Judge the golden parts by the inspectors at work; exit code 1 when one is judged wrongly."""
    failed = False

    async def work() -> None:
        nonlocal failed
        async with StationClient(station) as client:
            answer = await client.self_test()
        failed = not answer.passed
        output().print(("FAILED: " if failed else "passed: ") + answer.detail, markup=False)

    ends_quietly(work())
    if failed:
        raise typer.Exit(1)
