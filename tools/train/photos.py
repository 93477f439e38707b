"""The photographs of training and measurement: where they are, how they are fetched and read."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]

_LOMIRI = "usr/share/backgrounds"
_MATE = "usr/share/backgrounds/mate/nature"
_PLASMA = "usr/share/wallpapers"


@dataclass(frozen=True)
class Photo:
    """One photograph: its Debian package, its path in there, whether training may not see it."""

    package: str
    path: str
    held_out: bool = False

    @property
    def name(self) -> str:
        """A short name that is unique in the list."""
        stem = (
            Path(self.path).parts[3] if self.package.startswith("plasma") else Path(self.path).stem
        )
        return stem.split("_by_")[0]


_LISTS = {
    ("lomiri-wallpapers-16.04", f"{_LOMIRI}/%s.jpg"): """
        Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace
        Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi
        free_by_Peter_Nerlich friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich
        life_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi
        seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi
    """,
    ("mate-backgrounds", f"{_MATE}/%s.jpg"): """
        Aqua Blinds Dune FreshFlower Garden GreenMeadow LadyBird RainDrops Storm TwoWings Wood
        YellowFlower
    """,
    ("plasma-workspace-wallpapers", f"{_PLASMA}/%s/contents/images/2560x1600.jpg"): """
        BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite
        OneStandsOut Path summer_1am
    """,
}
_HELD_OUT = {"Picture_1A_by_freespace", "life_by_Aitzol_Berasategi"}
_HELD_OUT |= {"LadyBird", "Dune", "EveningGlow", "Path"}

PHOTOS = [
    Photo(package, path % stem, stem in _HELD_OUT)
    for (package, path), stems in _LISTS.items()
    for stem in stems.split()
]


def fetch(work: Path) -> None:
    """Downloads the packages by `apt-get` and unpacks each into `work/packages/NAME`, once."""
    for package in sorted({photo.package for photo in PHOTOS}):
        target = work / "packages" / package
        if target.is_dir():
            continue
        debs = work / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=debs, check=True)
        partial = target.with_suffix(".partial")
        subprocess.run(
            ["dpkg", "-x", str(next(debs.glob(f"{package}_*.deb"))), str(partial)], check=True
        )
        partial.rename(target)


def read_luma(work: Path, photo: Photo, long_side: int | None = None) -> Plane:
    """Its luma in video range (16..235), the longer side reduced to `long_side` if larger."""
    picture = cv2.imread(str(work / "packages" / photo.package / photo.path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(
            f"{photo.path} of package {photo.package} is not below {work}; fetch() first"
        )
    factor = min(1.0, (long_side or 1 << 30) / max(picture.shape[:2]))
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    blue, green, red = (picture[..., i].astype(np.float32) for i in range(3))
    luma = 16 + (0.2126 * red + 0.7152 * green + 0.0722 * blue) * (219 / 255)
    rounded: Plane = np.rint(luma).astype(np.uint8)
    return rounded
