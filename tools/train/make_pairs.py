"""Makes training pairs: moving crops of photographs, degraded, halved, and passed through a codec.

    python make_pairs.py WORK [--shots 6000] [--workers 2]

Writes WORK/pairs.npz: `low` (N, L, L) and `high` (N, 2L, 2L) luma in uint8, and `strength` (N), the
codec strength on the scale 0..1 of docs/network-format.md. Held-out photographs are never read. The
result depends on nothing but `--seed`, `--shots` and the versions of the codecs.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from codec import Plane, through_codec
from photos import PHOTOS, fetch, read_luma

Real = npt.NDArray[np.float32]
LOW = 128  # side of a low-resolution crop
FRAMES = 8  # of a shot; the codec sees all of them, KEPT of them become pairs
KEPT = 2
LONG_SIDES = (1280, 1920, 2560, 3200)


@dataclass(frozen=True)
class Kernel:
    """A separable reduction by two: `taps` lie around the middle of each pair of samples."""

    name: str
    taps: Real


def _kernels() -> list[Kernel]:
    def sampled(support: int, shape: npt.NDArray[np.float64]) -> Real:
        assert len(shape) == 2 * support
        taps: Real = (shape / shape.sum()).astype(np.float32)
        return taps

    def positions(support: int) -> npt.NDArray[np.float64]:
        distance: npt.NDArray[np.float64] = np.abs(np.arange(2 * support) - support + 0.5) / 2
        return distance

    def cubic(x: npt.NDArray[np.float64], a: float) -> npt.NDArray[np.float64]:
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        return np.where(x < 1, near, np.where(x < 2, a * (x**3 - 5 * x**2 + 8 * x - 4), 0))

    cubics = [Kernel(f"cubic {a}", sampled(4, cubic(positions(4), a))) for a in (-0.5, -0.75)]
    return [
        Kernel("area", sampled(1, np.ones(2))),
        Kernel("linear", sampled(2, 1 - positions(2))),
        Kernel("lanczos", sampled(6, np.sinc(positions(6)) * np.sinc(positions(6) / 3))),
        Kernel("gauss", sampled(4, np.exp(-((positions(4) / 0.45) ** 2) / 2))),
        *cubics,
    ]


KERNELS = _kernels()
KERNEL_ODDS = np.array([0.55, 0.1, 0.08, 0.07, 0.1, 0.1])


def _real(values: npt.ArrayLike) -> Real:
    real: Real = np.asarray(values, np.float32)
    return real


def halve(picture: Real, kernel: Kernel) -> Real:
    """The picture at half size: sample i is taken in the middle between samples 2i and 2i + 1."""
    anchor = (len(kernel.taps) // 2 - 1,) * 2
    smooth = cv2.sepFilter2D(picture, -1, kernel.taps, kernel.taps, anchor=anchor)
    return _real(smooth[::2, ::2])


def to_code(picture: Real) -> Plane:
    """Rounded to 8 bits."""
    codes: Plane = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return codes


def pick_crop(luma: Plane, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """A crop's corner; crops with little detail are mostly passed over."""
    corner = (0, 0)
    for _ in range(30):
        corner = (
            int(rng.integers(luma.shape[0] - side + 1)),
            int(rng.integers(luma.shape[1] - side + 1)),
        )
        crop = luma[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
        if cv2.Laplacian(crop, cv2.CV_32F).std() > 5 or rng.random() < 0.08:
            break
    return corner


def draw_text(picture: Real, rng: np.random.Generator) -> Real:
    """Lettering and lines over the picture, as subtitles, signs and screens have them."""
    over = to_code(picture)
    side = picture.shape[0]
    for _ in range(rng.integers(2, 7)):
        word = "".join(chr(code) for code in rng.integers(48, 122, rng.integers(3, 12)))
        at = (int(rng.integers(-20, side)), int(rng.integers(0, side)))
        size, weight = float(rng.uniform(0.4, 1.6)), int(rng.integers(1, 4))
        cv2.putText(
            over,
            word,
            at,
            int(rng.integers(0, 8)),
            size,
            int(rng.integers(16, 236)),
            weight,
            cv2.LINE_AA,
        )
        ends = rng.integers(0, side, 4).tolist()
        cv2.line(
            over, tuple(ends[:2]), tuple(ends[2:]), int(rng.integers(16, 236)), weight, cv2.LINE_AA
        )
    return over.astype(np.float32)


def soften(picture: Real, rng: np.random.Generator) -> Real:
    """Two of five as it is; else out of focus, or brought up from a picture smaller in x, y."""
    choice = rng.random()
    if choice < 0.4:
        return picture
    if choice < 0.75:
        sigma_x = float(rng.uniform(0.4, 2.0))
        sigma_y = sigma_x if rng.random() < 0.7 else float(rng.uniform(0.3, 2.0))
        return _real(cv2.GaussianBlur(picture, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y))
    factor_x = float(rng.uniform(0.35, 0.8))
    factor_y = factor_x if rng.random() < 0.7 else float(rng.uniform(0.5, 1))
    small = cv2.resize(picture, None, fx=factor_x, fy=factor_y, interpolation=cv2.INTER_AREA)
    method = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    return _real(cv2.resize(small, picture.shape[::-1], interpolation=method))


def change_tones(picture: Real, rng: np.random.Generator) -> Real:
    """Half the time other contrast and brightness, beyond all 256 codes, so that parts clip."""
    if rng.random() < 0.5:
        return picture
    gain, middle = float(rng.uniform(0.5, 1.5)), float(rng.uniform(90, 160))
    return _real(np.clip((picture - 125) * gain + middle, 0, 255))


@dataclass(frozen=True)
class Bars:
    """Black bars of `width` samples on two opposite sides, the edge blurred by `sigma`."""

    width: int
    level: int
    sigma: float
    upright: bool

    def over(self, picture: Real) -> Real:
        """The picture between the bars."""
        at = np.arange(picture.shape[0], dtype=np.float32)
        step = ((at >= self.width) & (at < len(at) - self.width)).astype(np.float32)
        if self.sigma:
            step = cv2.GaussianBlur(step[None], (0, 0), sigmaX=self.sigma)[0]
        cover = step[None, :] if self.upright else step[:, None]
        return self.level + (picture - self.level) * cover


def pick_bars(rng: np.random.Generator) -> Bars | None:
    """Letterbox or pillarbox bars, one shot in eight."""
    if rng.random() > 0.12:
        return None
    sigma = 0.0 if rng.random() < 0.4 else float(rng.uniform(0.4, 2.5))
    return Bars(
        int(rng.integers(4, LOW // 2)), int(rng.choice([0, 16])), sigma, bool(rng.random() < 0.5)
    )


def encoder_options(rng: np.random.Generator) -> tuple[str, dict[str, str]] | None:
    """A codec with its options; None for a lossless source."""
    choice = rng.random()
    if choice < 0.34:
        return None
    rate = float(rng.uniform(16, 33) if rng.random() < 0.8 else rng.uniform(6, 40))
    if choice < 0.84:
        preset = str(
            rng.choice(
                ["ultrafast", "superfast", "veryfast", "medium", "slow"],
                p=[0.1, 0.15, 0.25, 0.4, 0.1],
            )
        )
        options = {"crf": f"{rate:.1f}", "preset": preset}
        tune = str(rng.choice(["", "film", "grain", "animation"], p=[0.7, 0.1, 0.1, 0.1]))
        return "libx264", options | ({"tune": tune} if tune else {})
    quiet = "log-level=none:info=0:pools=none:frame-threads=1"
    return "libx265", {"crf": f"{rate:.1f}", "preset": "veryfast", "x265-params": quiet}


def noise_like(shape: tuple[int, ...], rng: np.random.Generator) -> Real:
    """Gaussian noise, half the time with neighbours correlated as a camera leaves them."""
    noise = rng.standard_normal(shape, np.float32)
    if rng.random() < 0.5:
        return _real(cv2.GaussianBlur(noise, (0, 0), 0.7) * 2)
    return noise


def make_shot(luma: Plane, seed: int) -> tuple[list[Plane], list[Plane], float]:
    """KEPT low and high crops of one moving shot, and their codec strength."""
    rng = np.random.default_rng(seed)
    side = 2 * LOW
    step_y, step_x = (int(v) for v in rng.integers(-4, 5, 2)) if rng.random() < 0.7 else (0, 0)
    reach = 4 * (FRAMES - 1)
    top, left = pick_crop(luma, side + 2 * reach, rng)
    field = luma[top : top + side + 2 * reach, left : left + side + 2 * reach].astype(np.float32)
    if rng.random() < 0.06:
        field = draw_text(field, rng)
    field = soften(change_tones(field, rng), rng)
    bars = pick_bars(rng)
    grain = (
        float(rng.uniform(0.5, 6)) if rng.random() < 0.3 else 0.0
    )  # of the scene: part of what is to be restored
    sensor = (
        float(rng.uniform(0.3, 2)) if rng.random() < 0.12 else 0.0
    )  # of the small picture: to be removed
    damage = (
        {"crf": f"{rng.uniform(18, 32):.0f}", "preset": "veryfast"} if rng.random() < 0.2 else None
    )
    kernel = KERNELS[rng.choice(len(KERNELS), p=KERNEL_ODDS)]
    high: list[Plane] = []
    for index in range(FRAMES):
        y, x = reach + index * step_y, reach + index * step_x
        crop = field[y : y + side, x : x + side]
        crop = crop + grain * noise_like(crop.shape, rng) if grain else crop
        high.append(to_code(bars.over(crop) if bars else crop))
    if damage:  # the film was compressed before it was reduced
        high = through_codec(high, "libx264", damage)[0]
    low: list[Plane] = []
    for crop8 in high:
        small = halve(crop8.astype(np.float32), kernel)
        low.append(to_code(small + sensor * noise_like(small.shape, rng) if sensor else small))
    coded = encoder_options(rng)
    strength = 0.0
    if coded:
        low, mean, _ = through_codec(low, *coded)
        strength = mean / 51
    kept = sorted(rng.choice(FRAMES, KEPT, replace=False).tolist())
    return [low[i] for i in kept], [high[i] for i in kept], strength


def make_photo(
    arguments: tuple[Path, int, int, int],
) -> list[tuple[list[Plane], list[Plane], float]]:
    """All shots of one photograph at one size."""
    work, index, shots, seed = arguments
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    photo = [photo for photo in PHOTOS if not photo.held_out][index]
    luma = read_luma(work, photo, int(rng.choice(LONG_SIDES)))
    return [make_shot(luma, int(rng.integers(1 << 62))) for _ in range(shots)]


def main() -> None:
    """Reads the command line and writes pairs.npz."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--shots", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fetch(options.work)
    photos = sum(not photo.held_out for photo in PHOTOS)
    rounds = max(1, round(options.shots / photos / 25))
    each = round(options.shots / photos / rounds)
    jobs = [
        (options.work, i, each, options.seed * 1_000_003 + r * photos + i)
        for r in range(rounds)
        for i in range(photos)
    ]
    low: list[Plane] = []
    high: list[Plane] = []
    strength: list[float] = []
    with ProcessPoolExecutor(options.workers) as pool:
        for done, shots in enumerate(pool.map(make_photo, jobs), 1):
            for small, large, value in shots:
                low += small
                high += large
                strength += [value] * len(small)
            print(f"{done}/{len(jobs)} photographs, {len(low)} pairs", flush=True)
    np.savez(
        options.work / "pairs.npz",
        low=np.stack(low),
        high=np.stack(high),
        strength=np.array(strength, np.float32),
    )


if __name__ == "__main__":
    main()
