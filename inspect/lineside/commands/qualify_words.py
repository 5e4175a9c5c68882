"""What `lineside qualify` and the commands that set and release thresholds have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.core.pixel_format import PixelFormat
    from lineside.qualify.document import By
    from lineside.qualify.judging import Judge

__all__ = ["QUALIFICATIONS", "Opened", "needs_its_libraries", "open_judge", "parsed_share"]

QUALIFICATIONS = "qualifications"
"""The folder beside the packages in which qualifications lie."""


def parsed_share(option: str, text: str) -> float:
    """0.02 of "2%" or "0.02". Raises: ConfigError for what is no share between 0 and 1."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError as error:
        raise ConfigError(f"{option} {text}", expected="a share such as 1% or 0.01") from error
    if rest or not 0 < share < 1:
        raise ConfigError(f"{option} {text}", expected="a share between 0 and 100 %, such as 1% or 0.01")
    return share


def needs_its_libraries() -> None:
    """Raises: ConfigError naming the extra where they are missing."""
    try:
        import jinja2  # noqa: F401
        import scipy  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed", remedy="pip install 'lineside[reinspect]'") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A judge over a package, recipe or station file, and who that is."""

    judge: Judge
    by: By
    package: Path
    models: Path
    """The folder in which the package, or the recipe's project, keeps packages."""
    mm_per_px: float | None


def open_judge(
    place: Path,
    *,
    scales: Path | None = None,
    view: str = "",
    mm_per_px: float | None = None,
    file_pixel_format: PixelFormat | None = None,
    fit: str = "refuse",
    provider: str = "cpu",
) -> Opened:
    """The station's own inspector over that package, or over one view of that recipe or station file; "" is its only
    one. Blocks. Raises: ConfigError kin.
    """
    from lineside.assemble import open_inspector
    from lineside.commands.train_words import known_fit
    from lineside.qualify.document import By
    from lineside.qualify.judging import Judge, JudgeOrder, of_one_view
    from lineside.reinspect.candidate import candidate_of

    candidate = candidate_of(place, scales=scales)
    if candidate.any_view and view:
        raise ConfigError(f"--view {view} beside a package", expected="a recipe or a station file, which have views")
    several = len(candidate.recipe.views) > 1
    recipe = of_one_view(candidate.recipe, view)
    (view,) = recipe.views
    scale = candidate.calibration.scales.get(view)
    if scale is not None and mm_per_px is not None:
        raise ConfigError(
            f"--mm-per-px beside the scale of {candidate.calibration.identity.id}", expected="one of both"
        )
    inspector = open_inspector(
        recipe,
        candidate.calibration,
        {view: candidate.packages[view]},
        providers=(provider,),
        intra_op_threads=1,
    )
    order = JudgeOrder(
        label=candidate.label,
        recipe=recipe,
        calibration=candidate.calibration,
        any_size=candidate.any_size,
        files_hold=file_pixel_format,
        fit=known_fit(fit),
    )
    judge = Judge(order, inspector)
    alone = candidate.any_view
    package = candidate.packages[view]
    by = By(
        form="package" if alone else "recipe",
        label=candidate.label,
        package_id=judge.model.id,
        package_revision=judge.model.revision,
        package_sha256=judge.model.sha256,
        recipe_id="" if alone else candidate.recipe.identity.id,
        recipe_sha256="" if alone else candidate.recipe.identity.sha256,
        view=view if several else "",
        calibration_id="" if alone else candidate.calibration.identity.id,
        calibration_sha256="" if alone else candidate.calibration.identity.sha256,
        threshold=judge.threshold,
        threshold_set_by=_set_by(package),
        decides_by_score=judge.decides_by_score,
        provider=judge.provider,
    )
    return Opened(
        judge=judge,
        by=by,
        package=package,
        models=package.parent,
        mm_per_px=scale.mm_per_px if scale else mm_per_px,
    )


def _set_by(package: Path) -> str:
    from lineside.detectors.declaration import read_declaration

    return read_declaration(package).manifest.threshold.set_by
