"""How much disk a job takes, before it is begun. Sizes in GB: 1 GB = 1000000000 bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from streamvsr import _core
from streamvsr.api import default_output_path, job_config
from streamvsr.config import StreamingConfig
from streamvsr.remains import PathInput

_GB = 1e9
_SMALL_DISK_GB = 20.0
_SHARE = 0.8  # as StreamingConfig.max_disk_fraction by default


def calculate_disk_usage(
    input_path: PathInput,
    output_path: PathInput | None = None,
    config: StreamingConfig | Mapping[str, Any] | None = None,
) -> dict[str, float | bool]:
    """What a job would take on the disk, estimated as the job itself does before it begins.

    The method: for ffv1 the output's uncompressed size and a tenth, which it never passes. For h264
    and hevc the source's own coded bits for every pixel of the output and 0.1 bit more, doubled
    for every 6 steps of crf below the codec's default and halved for every 6 above, times 1.6 for
    the presets veryfast and faster; never more than for ffv1. To both come the other streams at
    their size and the container. Never more than disk_ratio allows; without one the estimate for
    h264, hevc and av1 is no bound (docs/monitor.md).

    Args:
        input_path: A seekable regular file with video in it.
        output_path: Where the result would go; its suffix decides nothing but the default name's.
        config: The job's configuration, as StreamingVideoProcessor takes it; None: the defaults.

    Returns:
        input_size_gb: The input's size, in GB (1 GB = 1000000000 bytes).
        estimated_output_gb: The output's, estimated, in GB.
        total_estimated_gb: Both, in GB; beside them there is only a checkpoint of some kB.
        safe_for_20gb: True when both together take at most 80 % of a disk of 20 GB.

    Raises:
        InputNotFoundError: Nothing is there.
        InputError: It is no media file, or has no video.
        ConfigError: The configuration cannot work.
    """
    if config is None:
        config = StreamingConfig()
    elif not isinstance(config, StreamingConfig):
        config = StreamingConfig.from_dict(config)
    source = os.fspath(input_path)
    target = default_output_path(source) if output_path is None else output_path
    output = _core.estimate_output(job_config(config, source, os.fspath(target))) / _GB
    size = os.path.getsize(source) / _GB
    return {
        "input_size_gb": size,
        "estimated_output_gb": output,
        "total_estimated_gb": size + output,
        "safe_for_20gb": size + output <= _SHARE * _SMALL_DISK_GB,
    }


def pre_check_disk_space(
    input_path: PathInput,
    available_gb: float,
    config: StreamingConfig | Mapping[str, Any] | None = None,
) -> bool:
    """Whether a job's output would fit: its estimate is at most 80 % of what is free.

    The estimate is that of calculate_disk_usage(), the share that of max_disk_fraction's default.

    Args:
        input_path: A seekable regular file with video in it.
        available_gb: Free space where the output would go, in GB (1 GB = 1000000000 bytes). The
            input is on its disk already and not counted.
        config: The job's configuration, as StreamingVideoProcessor takes it; None: the defaults.

    Raises:
        InputNotFoundError: Nothing is there.
        InputError: It is no media file, or has no video.
        ConfigError: The configuration cannot work.
    """
    usage = calculate_disk_usage(input_path, None, config)
    return usage["estimated_output_gb"] <= _SHARE * available_gb
