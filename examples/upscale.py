"""Enhances a video x2: python examples/upscale.py IN OUT"""

import sys

import streamvsr

if len(sys.argv) != 3:
    sys.exit(__doc__)

try:
    result = streamvsr.upscale(sys.argv[1], sys.argv[2], scale=2, crf=18, progress=True)
except streamvsr.StreamvsrError as error:
    sys.exit(f"{type(error).__name__}: {error}")

report = result.performance_report
print(
    f"{result.output_path}: {report['output_width']}x{report['output_height']}, "
    f"{result.frames_processed} frames at {report['frames_per_second']:.1f} frames/s, "
    f"peak memory {result.memory_peak_mb:.0f} MB"
)
for warning in result.warnings:
    print("warning:", warning)
