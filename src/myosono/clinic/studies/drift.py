"""What changes by week: scores, abstentions, failures, devices, echo intensity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myosono.clinic.database.models import FrameReading, StoredImage, Study, utc_now
from myosono.clinic.studies.days import day_of, first_moment

WEEKS = 26
_Z95 = 1.959964
_SHOWN_DEVICES = 5
OTHER_DEVICES = "other"
NO_DEVICE = "unknown"


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % Wilson interval; ``value`` is None of nothing."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """Count over total."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson 1927, J Am Stat Assoc 22:209.

        Examples
        --------
        >>> low, high = Share(2, 10).interval
        >>> round(low, 3), round(high, 3)
        (0.057, 0.51)
        """
        if not self.total:
            return None
        share, n, z = self.count / self.total, self.total, _Z95
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Spread:
    """Median and quartiles, minimum and maximum of ``count`` values."""

    count: int
    minimum: float
    lower: float
    median: float
    upper: float
    maximum: float


@dataclass(frozen=True)
class Week:
    """One week, by arrival.

    Attributes
    ----------
    start
        Its Monday, on the clinic's own clock (`days`).
    scores
        Chance of disease of the studies read.
    abstained
        Studies without a single diagnosis, of those read.
    failed
        Images that could not be read, of those tried.
    refused
        Frames that the model gave no class (``not muscle ultrasound`` and the like), of those read.
    devices
        Studies by device; the rarer ones together as ``other``.
    echo_intensity
        Of the muscle regions of images, grey levels 0 to 255.
    """

    start: date
    studies: int
    scores: Spread | None
    abstained: Share
    failed: Share
    refused: Share
    devices: Mapping[str, int]
    echo_intensity: Spread | None


@dataclass(frozen=True)
class Drift:
    """The last weeks, oldest first, without gaps; ``devices`` names the columns of `Week.devices`."""

    weeks: tuple[Week, ...]
    devices: tuple[str, ...]
    models: tuple[str, ...]


def measure_drift(session: Session, *, weeks: int = WEEKS, today: date | None = None) -> Drift:
    """Tally the last weeks, the running one included.

    Parameters
    ----------
    today
        Which week is the last; None is this one.

    Returns
    -------
    Drift
        ``models`` are the SHA-256 of all models that read in that time: a step in a curve may be a new model.
    """
    last = monday(today or day_of(utc_now()))
    starts = [last - timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]
    since, until = first_moment(starts[0]), first_moment(last + timedelta(weeks=1))
    studies = session.scalars(select(Study).where(Study.arrived >= since, Study.arrived < until)).all()
    ids = {study.id: monday(day_of(study.arrived)) for study in studies}
    by_week: dict[date, list[Study]] = defaultdict(list)
    for study in studies:
        by_week[ids[study.id]].append(study)
    images = _images(session, since, until, ids)
    frames, echo, models = _frames(session, since, until, ids)
    counted = Counter(study.device or NO_DEVICE for study in studies)
    shown = tuple(sorted(counted, key=lambda name: (-counted[name], name))[:_SHOWN_DEVICES])
    return Drift(
        weeks=tuple(_week(start, by_week[start], images[start], frames[start], echo[start], shown) for start in starts),
        devices=(*shown, OTHER_DEVICES) if len(counted) > len(shown) else shown,
        models=models,
    )


def monday(day: date) -> date:
    """The Monday of a day's week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def _week(
    start: date, studies: Sequence[Study], images: Counter[str], frames: Counter[bool], echo: Sequence[float],
    shown: Sequence[str],
) -> Week:  # fmt: skip
    read = [study for study in studies if study.result]
    names = Counter(study.device or NO_DEVICE for study in studies)
    devices = Counter({name if name in shown else OTHER_DEVICES: 0 for name in names})
    for name, count in names.items():
        devices[name if name in shown else OTHER_DEVICES] += count
    return Week(
        start=start,
        studies=len(studies),
        scores=_spread([study.priority for study in read if study.priority is not None]),
        abstained=Share(sum(bool((study.result or {}).get("abstained")) for study in read), len(read)),
        failed=Share(images["failed"], images["failed"] + images["read"]),
        refused=Share(frames[True], frames.total()),
        devices=dict(devices),
        echo_intensity=_spread(echo),
    )


def _images(
    session: Session, since: datetime, until: datetime, weeks: Mapping[int, date]
) -> defaultdict[date, Counter[str]]:
    found = session.execute(
        select(StoredImage.study_id, StoredImage.status, func.count())
        .join(Study)
        .where(Study.arrived >= since, Study.arrived < until)
        .group_by(StoredImage.study_id, StoredImage.status)
    )
    tally: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for study, status, count in found.tuples():
        tally[weeks[study]][status] += count
    return tally


def _frames(
    session: Session, since: datetime, until: datetime, weeks: Mapping[int, date]
) -> tuple[defaultdict[date, Counter[bool]], defaultdict[date, list[float]], tuple[str, ...]]:
    """Abstentions and echo intensities of frames by week, and the models that read them."""
    mean = FrameReading.quantities["echo_intensity"]["mean"].as_float()
    found = session.execute(
        select(StoredImage.study_id, FrameReading.abstained, mean, FrameReading.model_sha256)
        .join(StoredImage, StoredImage.id == FrameReading.image_id)
        .join(Study, Study.id == StoredImage.study_id)
        .where(Study.arrived >= since, Study.arrived < until)
    )
    abstained: defaultdict[date, Counter[bool]] = defaultdict(Counter)
    echo: defaultdict[date, list[float]] = defaultdict(list)
    models: dict[str, None] = {}
    for study, refused, intensity, model in found.tuples():
        abstained[weeks[study]][bool(refused)] += 1
        models[model] = None
        if intensity is not None:
            echo[weeks[study]].append(float(intensity))
    return abstained, echo, tuple(models)


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    cuts = np.percentile(np.asarray(values, dtype=float), [0, 25, 50, 75, 100])
    return Spread(len(values), *(float(cut) for cut in cuts))
