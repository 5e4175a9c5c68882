"""An INT8 package of another one: which of its nodes bear it, found on pictures of train, and the package itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lineside import __version__
from lineside.core.errors import NotLocated, PackageError
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.decoder import decoder_for
from lineside.detectors.manifest import Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package
from lineside.detectors.placement import Placement
from lineside.detectors.quantised_graph import Method, QuantisableGraph
from lineside.detectors.session import Session, open_session

__all__ = ["QuantiseOrder", "Quantised", "frame_of", "quantise", "with_record"]

_RANKED_BY: Final = 8
"""Pictures by which single nodes are ranked: each node costs a run over them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantiseOrder:
    """What is to be made. `max_change` is how far the scores of calibration pictures may move, as a share of the
    threshold, before nodes are left in float; `left_out` are nodes that stay in float in any case.
    """

    id: str
    method: Method = "minmax"
    max_change: float = 0.05
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quantised:
    """The graph and how it came about. `change` is the largest move of a calibration picture's score, as a share."""

    graph: bytes
    order: QuantiseOrder
    pictures: int
    in_int8: tuple[str, ...]
    in_float: tuple[str, ...]
    whole: bool
    change: float
    reference_difference: float


def quantise(
    package: ModelPackage, order: QuantiseOrder, pictures: Sequence[Pixels], *, tick: Callable[[], None] = lambda: None
) -> Quantised:
    """Calibrates on `pictures`, in the package's pixel format, and leaves in float what hurts. Blocks for long.

    First everything is tried, then weighted nodes alone, then these without the ones that move scores most when they
    alone are in INT8. `tick` is called once for each picture. Raises: PackageError.
    """
    looked: list[tuple[NDArray[Any], Placement]] = []
    preparation = package.preparation()
    for pixels in pictures:
        try:
            tensor, placement = preparation.prepare(pixels)
            looked.append((tensor.copy(), placement))
        except NotLocated:
            continue  # the graph would never see it
        finally:
            tick()
    if not looked:
        raise PackageError(f"{package.folder}: no picture to calibrate with", expected="pictures of the split train")
    with tempfile.TemporaryDirectory() as name:
        return _Search(package, order, looked, Path(name)).run()


class _Search:
    def __init__(
        self, package: ModelPackage, order: QuantiseOrder, looked: list[tuple[NDArray[Any], Placement]], folder: Path
    ) -> None:
        self._package, self._order, self._looked, self._folder = package, order, looked, folder
        self._graph = QuantisableGraph.prepare(
            package.graph_path,
            folder,
            input_name=package.manifest.input.name,
            tensors=[tensor for tensor, _ in looked],
            method=order.method,
        )
        unknown = sorted(set(order.left_out) - set(self._graph.weighted))
        if unknown:
            raise PackageError(f"nodes {unknown}", expected=f"some of {list(self._graph.weighted)}")
        self._wanted = self._scores(open_session(package.graph_path, providers=("cpu",)), looked)

    def run(self) -> Quantised:
        always = self._order.left_out
        for whole in (True, False):
            if (found := self._tried(always, whole=whole)) is not None:
                return found
        ranked = [name for name in self._ranked() if name not in always]
        count = 1
        while count < len(ranked):
            if (found := self._tried((*always, *ranked[:count]), whole=False)) is not None:
                return found
            # In growing steps, since large graphs have hundreds of nodes; the last try leaves one in INT8.
            count = len(ranked) if count == len(ranked) - 1 else min(count + max(1, count // 2), len(ranked) - 1)
        raise PackageError(
            f"{self._package.folder}: in INT8 its scores move by more than {self._order.max_change:.0%} of its "
            f"threshold, whichever nodes of {list(self._graph.weighted)} stay in float",
            expected="a graph that bears INT8",
            remedy="keep the package as it is, try --method entropy, or allow more with --max-change",
        )

    def _tried(self, left_out: tuple[str, ...], *, whole: bool) -> Quantised | None:
        path = self._graph.quantised(self._folder / "tried.onnx", left_out, whole=whole)
        session = open_session(path, providers=("cpu",))
        change = self._change(self._scores(session, self._looked))
        if change > self._order.max_change:
            return None
        return Quantised(
            graph=path.read_bytes(),
            order=self._order,
            pictures=len(self._looked),
            in_int8=tuple(name for name in self._graph.weighted if name not in left_out),
            in_float=(*left_out, *self._graph.kept),
            whole=whole,
            change=change,
            reference_difference=self._reference_difference(session),
        )

    def _ranked(self) -> list[str]:
        """Those that hurt most first."""
        few = self._looked[:_RANKED_BY]
        changes = {}
        for name in self._graph.weighted:
            others = tuple(each for each in self._graph.weighted if each != name)
            path = self._graph.quantised(self._folder / "one.onnx", others)
            changes[name] = self._change(self._scores(open_session(path, providers=("cpu",)), few))
        return sorted(changes, key=lambda name: -changes[name])

    def _change(self, scores: NDArray[np.float64]) -> float:
        scale = max(abs(self._package.threshold), 1e-6)
        return float(np.abs(scores - self._wanted[: len(scores)]).max()) / scale

    def _scores(self, session: Session, looked: Sequence[tuple[NDArray[Any], Placement]]) -> NDArray[np.float64]:
        manifest = self._package.manifest
        decoder = decoder_for(manifest.output)
        return np.array(
            [
                decoder.decode(session.run(manifest.output.names, manifest.input.name, tensor), placement).score
                for tensor, placement in looked
            ]
        )

    def _reference_difference(self, session: Session) -> float:
        """How far INT8 is from float in the reference answers."""
        original = open_session(self._package.graph_path, providers=("cpu",))
        manifest, preparation = self._package.manifest, self._package.preparation()
        largest = 0.0
        for pixels in self._package.reference_frames():
            tensor, _ = preparation.prepare(pixels)
            answers = [each.run(manifest.output.names, manifest.input.name, tensor) for each in (original, session)]
            for name in manifest.output.names:
                before, after = (np.asarray(each[name], np.float64) for each in answers)
                if before.shape == after.shape and before.size:
                    largest = max(largest, float(np.abs(after - before).max()))
        return largest


def with_record(
    folder: Path, package: ModelPackage, made: Quantised, compared: dict[str, Any], *, replace: bool = False
) -> ModelPackage:
    """Writes the package: the original's declarations, its own references, and what was compared. Raises: PackageError.

    Its references may differ elsewhere by as much as INT8 differs from float: on a processor with other instructions
    the last bit of an INT8 sum falls elsewhere.
    """
    manifest, identity = package.manifest, package.identity
    tolerance = max(reference.abs_tolerance for reference in manifest.references)
    other = {
        name: (package.folder / name).read_bytes()
        for name in manifest.files
        if name.startswith("training/") or (manifest.input.locate and name == manifest.input.locate.reference)
    }
    return write_package(
        folder,
        graph=made.graph,
        draft=PackageDraft(
            id=made.order.id,
            licence=manifest.licence,
            made_by=f"{manifest.made_by}; in INT8 by lineside {__version__}"[:200],
            input=manifest.input,
            output=manifest.output,
            threshold=Threshold(
                value=manifest.threshold.value, set_by=f"of the original: {manifest.threshold.set_by}"[:1000]
            ),
            training={
                "method": "INT8 by static quantisation of another package",
                "quantised_from": {"id": identity.id, "revision": identity.revision, "sha256": identity.sha256},
                "quantisation": {
                    "calibrated_on": f"{made.pictures} pictures of train",
                    "method": made.order.method,
                    "activations": "QUInt8",
                    "weights": "QInt8, per channel",
                    "also_between_weighted_nodes": made.whole,
                    "in_int8": list(made.in_int8),
                    "in_float": list(made.in_float),
                    "largest_change_in_calibration": round(made.change, 5),
                    "allowed_change": made.order.max_change,
                },
                "compared": compared,
                "original": dict(manifest.training),
            },
            abs_tolerance=max(tolerance, made.reference_difference),
            rel_tolerance=max(reference.rel_tolerance for reference in manifest.references),
        ),
        reference_inputs=package.reference_frames(),
        other_files=other,
        replace=replace,
    )


def frame_of(pixels: Pixels, pixel_format: PixelFormat) -> Frame:
    """As the camera would hand it over."""
    return Frame(
        view="",
        pixels=pixels,
        pixel_format=pixel_format,
        frame_id=0,
        captured_utc_ns=0,
        captured_mono_ns=0,
        camera_serial="",
    )
