"""Weights of a backbone: from a file of `lineside train backbone`, from one of torchvision's, or downloaded by it.

No file is trusted: weights are read without running anything that is pickled among them.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
import torchvision
from torch import Tensor

from lineside import __version__
from lineside.core.errors import ConfigError
from lineside.train.dataset import Dataset
from lineside.train.networks import NetworkKind, known_network
from lineside.train.patch_features import stages_of

__all__ = [
    "Backbone",
    "downloaded_backbone",
    "read_backbone",
    "refuse_channels",
    "refuse_learned",
    "weights_hash",
    "write_backbone",
]

_FORMAT: Final = 1
_KIND: Final = "lineside backbone"
_LEGACY: Final = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files begin that torch wrote before they were archives; torchvision still has some."""
_MAX_TOLD: Final = 3

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Backbone:
    """A network, at least up to its third stage. `origin` is for people, `sha256` is of the weights.

    `channels` and `learned_from`, the SHA-256 of each picture by its name, are those of pictures of the user's own that
    it was trained on; None and nothing for weights of torchvision. `record` is how that was done.
    """

    kind: NetworkKind
    weights: Weights
    origin: str
    sha256: str
    channels: int | None = None
    learned_from: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def write_backbone(path: Path, backbone: Backbone) -> None:
    """Whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    about = {
        "kind": _KIND,
        "format": _FORMAT,
        "made_by": f"lineside {__version__}",
        "network": backbone.kind.name,
        "channels": backbone.channels,
        "weights_sha256": backbone.sha256,
        "learned_from": dict(backbone.learned_from),
        "record": dict(backbone.record),
    }
    with partial.open("wb") as file:
        torch.save({"about": json.dumps(about), "weights": dict(backbone.weights)}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_backbone(path: Path, network: str = "") -> Backbone:
    """From a file of ours, which names its network, or of weights as torchvision has them, for the `network` named.

    Raises: ConfigError for a file that is damaged, of another network, or that holds anything but weights.
    """
    stored = _stored(path)
    if isinstance(stored.get("about"), str):
        return _own(path, stored, network)
    if not network:
        raise ConfigError(
            f"{path} does not say of which network its weights are",
            expected="a file of `lineside train backbone`, or --network",
            remedy="name the network with --network, as resnet18",
        )
    kind = known_network(network)
    weights = _fitting(path, kind, kind.trunk_of(stored))
    return Backbone(kind=kind, weights=weights, origin=f"file {path.name}", sha256=weights_hash(weights))


def downloaded_backbone(network: str) -> Backbone:
    """Torchvision's own weights, from where it keeps them or from the network. Raises: ConfigError."""
    kind = known_network(network)
    if not kind.from_torchvision:
        raise ConfigError(
            f"nobody has weights of the network '{network}' for download",
            expected="weights from a file",
            remedy=f"train them on your own pictures: lineside train backbone DATA -o backbone.pt --network {network}; "
            "then give --weights backbone.pt",
        )
    offered = torchvision.models.get_model_weights(network).DEFAULT
    try:
        state = offered.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"the weights of {network} cannot be downloaded: {error}",
            expected=f"{offered.url}",
            remedy="on a machine with a network download that file, copy it here and give --weights FILE --network "
            f"{network}; or train your own: lineside train backbone DATA -o backbone.pt, then --weights backbone.pt",
        ) from error
    weights = _fitting(Path(offered.url), kind, kind.trunk_of(state))
    return Backbone(kind=kind, weights=weights, origin=f"torchvision {offered}", sha256=weights_hash(weights))


def refuse_channels(backbone: Backbone, channels: int) -> None:
    """Grey and colour are not seen by the same weights, unless they are torchvision's. Raises: ConfigError."""
    if backbone.channels not in (None, channels):
        words = {1: "grey", 3: "colour"}
        raise ConfigError(
            f"the backbone was trained on {words[backbone.channels or 1]} pictures",
            expected=f"one for {words[channels]} ones",
            remedy="train a backbone on these pictures: lineside train backbone DATA -o backbone.pt",
        )


def refuse_learned(backbone: Backbone, dataset: Dataset) -> None:
    """A backbone that has seen pictures of val or test cannot be judged by them. Raises: ConfigError.

    Pictures of test are not opened: they are told by their names, where pictures of train show that it is the same
    data.
    """
    learned = backbone.learned_from
    if not learned:
        return
    hashes = set(learned.values())
    seen = [picture.name for picture in dataset.of("val") if picture.sha256() in hashes]
    if any(picture.name in learned and learned[picture.name] == picture.sha256() for picture in dataset.of("train")):
        seen += [picture.name for picture in dataset.of("test") if picture.name in learned]
    if seen:
        raise ConfigError(
            f"the backbone has learned from {len(seen)} pictures of val or test, {', '.join(seen[:_MAX_TOLD])} first",
            expected="a backbone that has seen pictures of train only",
            remedy="train it on the same DATA with the same --seed, --val-share, --test-share and --group",
        )


def weights_hash(weights: Weights) -> str:
    """SHA-256 of names and values, whatever the file around them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def _stored(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            first = file.read(len(_LEGACY))
        if first != _LEGACY and not zipfile.is_zipfile(path):
            raise EOFError("it is cut off, or no file of torch")
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"{path} cannot be read as weights: {reason}",
            expected="a file of `lineside train backbone`, or weights (a state_dict) of a torchvision network",
            remedy="a file that holds more than weights is not opened: what is pickled in it could run anything",
        ) from error
    if not isinstance(stored, dict):
        raise ConfigError(f"{path} holds a {type(stored).__name__}", expected="weights by their names")
    return stored


def _own(path: Path, stored: Mapping[str, Any], network: str) -> Backbone:
    try:
        about = json.loads(stored["about"])
        if about["kind"] != _KIND or about["format"] != _FORMAT:
            raise ValueError(f"{about['kind']} of format {about['format']}")
        kind, weights = (
            known_network(about["network"]),
            _fitting(path, known_network(about["network"]), stored["weights"]),
        )
        channels, learned_from, record = about["channels"], about["learned_from"], about["record"]
        sha256 = about["weights_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is no backbone that this version reads: {error}", expected=f"{_KIND} of format {_FORMAT}"
        ) from error
    if network and network != kind.name:
        raise ConfigError(
            f"{path} holds weights of {kind.name}",
            expected=f"{network}, as --network says",
            remedy="leave --network out",
        )
    if sha256 != weights_hash(weights):
        raise ConfigError(
            f"{path} is damaged: its weights have another SHA-256 than it states",
            expected=sha256,
            remedy="make it anew",
        )
    return Backbone(
        kind=kind,
        weights=weights,
        origin=f"file {path.name}, by lineside train backbone",
        sha256=sha256,
        channels=channels,
        learned_from=learned_from,
        record=record,
    )


def _fitting(path: Path, kind: NetworkKind, weights: Weights) -> Weights:
    """What the network takes of these weights: all up to its third stage, and what there is beyond but for the classes.

    Raises: ConfigError where they are of another network.
    """
    wanted, whole = stages_of(kind).state_dict(), kind.trunk_of(kind.make(1).state_dict())
    missing = sorted(set(wanted) - set(weights))
    taken = {name: weights[name] for name in whole if name in weights}
    other = [name for name, values in taken.items() if getattr(values, "shape", None) != whole[name].shape]
    if missing or other:
        told = [*(f"no {name}" for name in missing), *(f"{name} of another shape" for name in other)]
        raise ConfigError(
            f"{path} does not hold the weights of {kind.name}: {', '.join(told[:_MAX_TOLD])}",
            expected=f"all {len(wanted)} of {kind.name} up to its third stage",
            remedy="name the network that the weights are of with --network",
        )
    return taken
