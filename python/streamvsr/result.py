"""What process() and upscale() give back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamvsr.errors import StreamvsrError

if TYPE_CHECKING:
    from streamvsr._core import Plan, Report


_MEMORY_PLAN = (
    "limit", "used", "decoder", "encoder", "packets", "fixed", "source", "enhanced", "workspace",
)  # fmt: skip


@dataclass
class ProcessResult:
    """Outcome of one job.

    Attributes:
        success: True when the output is complete.
        output_path: The output; None after a failure.
        processing_time: Wall time in seconds.
        frames_processed: Frames in the output.
        memory_peak_mb: Peak resident memory of the whole process during the job, in MB; 0 after a
            failure.
        preset: The preset asked for.
        quality: The quality asked for.
        warnings: What the output cannot hold or had to change, damage met, memory or disk that ran
            short; one sentence each.
        performance_report: Figures of the run, see performance_report(); empty after a failure.
        quality_metrics: Measured quality by name; empty where nothing was measured.
        checkpoint_path: After a failure that keeps the whole segments, the checkpoint from which
            the same call goes on; else None.
        error: What went wrong, one sentence; None after success.
        error_message: The same as error.
        exception: The failure as an exception; None after success.
        input_path: The input; None after a failure.
        picture_options: Options of preview() by which it shows the input's pictures as the job read
            them: color_matrix, interlaced and size_change; empty after a failure.
    """

    success: bool
    output_path: str | None = None
    processing_time: float = 0.0
    frames_processed: int = 0
    memory_peak_mb: float = 0.0
    preset: str = ""
    quality: str = ""
    warnings: list[str] = field(default_factory=list)
    performance_report: dict[str, Any] = field(default_factory=dict)
    quality_metrics: dict[str, float] = field(default_factory=dict)
    checkpoint_path: str | None = None
    error: str | None = None
    error_message: str | None = None
    exception: BaseException | None = None
    input_path: str | None = None
    picture_options: dict[str, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """What a notebook shows, see docs/notebooks.md."""
        from streamvsr.notebook import result_html

        return result_html(self)

    def raise_for_error(self) -> None:
        """Raises the failure, if there was one."""
        if self.exception is not None:
            raise self.exception


def failure(
    error: StreamvsrError | MemoryError, seconds: float, checkpoint_path: str | None = None
) -> ProcessResult:
    """The result of a job that failed after some seconds of wall time."""
    message = str(error) or "out of memory"
    return ProcessResult(
        success=False,
        processing_time=seconds,
        checkpoint_path=checkpoint_path,
        error=message,
        error_message=message,
        exception=error,
    )


def performance_report(plan: Plan, report: Report) -> dict[str, Any]:
    """The figures of a finished run.

    frames, damaged_frames, segments: counts over the whole output; resumed_frames: how many of the
    frames earlier, interrupted runs had done. All further figures are of this run alone. seconds:
    wall time; read_seconds, compute_seconds, write_seconds: each stage's busy time; cpu_seconds: of
    all threads. frames_per_second: mean, of the frames this run did. bytes_read, bytes_written,
    output_bytes. peak_frames_mb: frames and packets in flight; peak_memory_mb: resident memory of
    the process. width, height, output_width, output_height: pixels. enhancer, encoder: one line
    each. memory_plan_mb: what was planned before the work, see docs/memory.md. encoder_lookahead:
    frames. disk_budget: what disk_ratio did: limit_bytes, the most the output could have (0: no
    limit); of this run's segments segments, bytes and share_bytes (the video's packets, and the
    most they could have), of those made coarser than crf asks bound_segments, bound_bytes and
    bound_share_bytes, of those encoded twice reencoded_segments; bound: at most 64 passages, each
    with first_frame, frames, first_second and its mean crf. What StreamingMonitor.report() adds is
    said there.
    """
    done_now = report.frames - report.resumed_frames
    return {
        "frames": report.frames,
        "resumed_frames": report.resumed_frames,
        "damaged_frames": report.damaged_frames,
        "segments": report.segments,
        "seconds": report.seconds,
        "frames_per_second": done_now / report.seconds if report.seconds > 0 else 0.0,
        "read_seconds": report.read_seconds,
        "compute_seconds": report.compute_seconds,
        "write_seconds": report.write_seconds,
        "cpu_seconds": report.cpu_seconds,
        "peak_frames_mb": report.peak_frames_mb,
        "peak_memory_mb": report.peak_rss_mb,
        "bytes_read": report.bytes_read,
        "bytes_written": report.bytes_written,
        "output_bytes": report.output_bytes,
        "width": plan.width,
        "height": plan.height,
        "output_width": plan.output_width,
        "output_height": plan.output_height,
        "enhancer": report.enhancer,
        "encoder": report.encoder,
        "encoder_lookahead": plan.encoder_lookahead,
        "memory_plan_mb": {name: getattr(plan.memory, name) / (1 << 20) for name in _MEMORY_PLAN},
        "disk_budget": _disk_budget(plan, report),
    }


def _disk_budget(plan: Plan, report: Report) -> dict[str, Any]:
    rates = report.rates
    return {
        "limit_bytes": report.budget_bytes,
        "segments": rates.segments,
        "bytes": rates.bytes,
        "share_bytes": rates.share,
        "bound_segments": rates.bound_segments,
        "bound_bytes": rates.bound_bytes,
        "bound_share_bytes": rates.bound_share,
        "reencoded_segments": rates.reencoded_segments,
        "bound": [
            {
                "first_frame": passage.first_frame,
                "frames": passage.frames,
                "first_second": passage.first_frame / plan.frame_rate,
                "crf": passage.crf,
            }
            for passage in rates.bound
        ],
    }
