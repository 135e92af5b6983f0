"""Which copies of an image the audit's look-alike search finds again: `results/look_alikes.csv`.

    python benchmarks/look_alikes.py

Thirty real muscle images of `../shared/data`, each beside a changed copy of itself, by the rule of `myosono audit`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from myosono.cohort.near_duplicates import fingerprint, similar_pairs

ROOT = Path(__file__).parent
DATA = ROOT.parent.parent / "shared" / "data"
RESULT = ROOT / "results" / "look_alikes.csv"
FOLDERS = {"myositis_samples": None, "muscle_dltrack": 12, "muscle_timtrack": 12}
"""Of each, so many images at most, by name."""

Grey = NDArray[np.uint8]


def muscle_images() -> list[Grey]:
    paths = [path for folder, most in FOLDERS.items() for path in sorted((DATA / folder).rglob("*.png"))[:most]]
    return [np.asarray(Image.open(path).convert("L")) for path in paths]


def jpeg(image: Grey) -> Grey:
    kept = io.BytesIO()
    Image.fromarray(image).save(kept, "JPEG", quality=50)
    return np.asarray(Image.open(kept))


def half(image: Grey) -> Grey:
    height, width = image.shape
    return np.asarray(Image.fromarray(image).resize((width // 2, height // 2)))


def noisy(image: Grey) -> Grey:
    return np.clip(image + np.random.default_rng(0).normal(0, 10, image.shape), 0, 255).astype(np.uint8)


def calipers(image: Grey) -> Grey:
    drawn = Image.fromarray(image)
    pen, (height, width) = ImageDraw.Draw(drawn), image.shape
    for share in (0.3, 0.6):
        x, y = width * 0.3, height * share
        pen.line([(x - 6, y), (x + 6, y)], fill=255, width=2)
        pen.line([(x, y - 6), (x, y + 6)], fill=255, width=2)
    pen.text((width * 0.03, height * 0.87), "1 D 15.2 mm", fill=255)
    return np.asarray(drawn)


def line_and_box(image: Grey) -> Grey:
    drawn = Image.fromarray(image)
    pen, (height, width) = ImageDraw.Draw(drawn), image.shape
    pen.line([(width * 0.3, height * 0.3), (width * 0.3, height * 0.6)], fill=255, width=3)
    pen.rectangle([width * 0.02, height * 0.85, width * 0.3, height * 0.98], fill=0)
    pen.text((width * 0.03, height * 0.87), "1 D 15.2 mm", fill=255)
    return np.asarray(drawn)


def cropped(image: Grey) -> Grey:
    top, left = (int(0.02 * length) for length in image.shape)
    return image[top:-top, left:-left]


def bordered(image: Grey) -> Grey:
    height, width = image.shape
    return np.pad(image, ((height // 10,) * 2, (width // 10,) * 2))


COPIES: dict[str, Callable[[Grey], Grey]] = {
    "the same": lambda image: image,
    "JPEG of quality 50": jpeg,
    "half the size": half,
    "noise of 10 grey levels": noisy,
    "gamma 0.7": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "two calipers and a line of text": calipers,
    "a measuring line and a box with text": line_and_box,
    "turned by 2 degrees": lambda image: np.asarray(Image.fromarray(image).rotate(2)),
    "shifted by 2 %": lambda image: np.roll(image, int(0.02 * image.shape[1]), axis=1),
    "cropped by 2 %": cropped,
    "with a border of 10 %": bordered,
    "mirrored": lambda image: image[:, ::-1],
}


def is_found(image: Grey, copy: Grey) -> bool:
    return bool(similar_pairs([fingerprint(image), fingerprint(np.ascontiguousarray(copy))]))


def main() -> int:
    images = muscle_images()
    with RESULT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["copy", "found", "images"])
        for name, change in COPIES.items():
            row = [name, sum(is_found(image, change(image)) for image in images), len(images)]
            writer.writerow(row)
            print(*row, sep="\t", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
