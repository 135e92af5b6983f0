"""A study's report as one HTML page that needs nothing else: for the screen, for print, and for `pdf`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from myosono.clinic.database.models import utc_now
from myosono.clinic.reports import content
from myosono.clinic.reports.key_frames import KeyFrame, choose_key_frames, grey_key, heat_key
from myosono.clinic.reports.language import Language, Translate, translator
from myosono.clinic.studies.view import StudyView
from myosono.provenance import versions


@dataclass(frozen=True)
class Picture:
    """A key frame as the page shows it; addresses are data URIs, None where there is no such picture."""

    caption: str
    detail: str
    grey: str | None
    heat: str | None


def render_report(
    view: StudyView, language: Language, images: Mapping[str, bytes], *, made: datetime | None = None
) -> str:
    """The report of a study.

    Parameters
    ----------
    view
        The study; what it does not say, the report does not state.
    language
        Of headings and sentences. Names and notes stay as they were written.
    images
        PNG pictures by `key_images`; an empty mapping gives a report without pictures.
    made
        When it was made; None is now.

    Returns
    -------
    str
        HTML with styles and pictures inside, without script.
    """
    t = translator(language)
    page = _environment().get_template("report.html")
    return page.render(
        view=view,
        language=language,
        t=t,
        content=content,
        status=content.report_status(view),
        pictures=[_picture(key, images, t) for key in choose_key_frames(view)] if images else [],
        made=content.moment(made or utc_now()),
        version=versions().get("myosono", ""),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("myosono.clinic.reports"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _picture(key: KeyFrame, images: Mapping[str, bytes], t: Translate) -> Picture:
    site = content.site_name(key.site, t)
    detail = t("not classified")
    if key.heat_class is not None and key.heat_class in key.frame.probabilities:
        detail = f"{t(key.heat_class)} {content.percent(key.frame.probabilities[key.heat_class])}"
    if len(key.image.frames) > 1:
        detail += " · " + t("frame {}").format(key.frame.frame + 1)
    return Picture(site[:1].upper() + site[1:], detail, *(_data_uri(images.get(name)) for name in _keys(key)))


def _keys(key: KeyFrame) -> tuple[str, str]:
    return grey_key(key.frame), heat_key(key.frame)


def _data_uri(png: bytes | None) -> str | None:
    return None if png is None else "data:image/png;base64," + base64.b64encode(png).decode("ascii")
