"""From a graph's raw outputs to a Detection: one decoder per kind of output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from lineside.core.finding import Detection
from lineside.detectors.anomaly_map import AnomalyMapDecoder
from lineside.detectors.boxes import BoxesDecoder
from lineside.detectors.classes import ClassesDecoder
from lineside.detectors.manifest import AnomalyMapOutput, BoxesOutput, Output, SegmentationOutput
from lineside.detectors.placement import Placement
from lineside.detectors.segmentation import SegmentationDecoder

__all__ = ["Decoder", "decoder_for"]


class Decoder(Protocol):
    """Reads one kind of output."""

    def decode(self, outputs: Mapping[str, NDArray[Any]], placement: Placement) -> Detection:
        """The answer in frame pixels, sharing no memory with a later one. Raises: ModelError."""
        ...


def decoder_for(output: Output) -> Decoder:
    """The decoder of a manifest's [output]."""
    if isinstance(output, AnomalyMapOutput):
        return AnomalyMapDecoder(output)
    if isinstance(output, SegmentationOutput):
        return SegmentationDecoder(output)
    if isinstance(output, BoxesOutput):
        return BoxesDecoder(output)
    return ClassesDecoder(output)
