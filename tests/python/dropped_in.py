"""The application of host_application.py with the drop-in in it."""

from __future__ import annotations

from typing import Any

import host_application as app
from streamvsr.host import HostMethods, StreamingMixin, streaming


class Drop(streaming(app.TraditionalVideoProcessor)):  # type: ignore[misc]
    """As an application writes it."""


class OfAbstract(StreamingMixin, HostMethods, app.VideoProcessor):
    """The same for a type checker, and with a parent that does nothing itself."""


def fast_config(**changes: Any) -> dict[str, Any]:
    """The shipped configuration, but quick."""
    config = app.shipped_config() | changes
    config["video"]["output"]["preset"] = "ultrafast"
    config["performance"]["use_gpu"] = False
    return config


def quick(**changes: Any) -> dict[str, Any]:
    """A small configuration, and quick."""
    own = {"model": "nearest", "encoder_preset": "ultrafast"}
    return {"streaming_mode": True, "streamvsr": own, **changes}
