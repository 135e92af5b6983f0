"""One page of a Secondary Capture: the frame, the same with its heat map, what was read, and what must stand with it.

Everything is in English and nothing of it names the patient: pixels cannot be translated, nor easily taken back.
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from myosono.anatomy import MUSCLES, SIDES
from myosono.clinic.dicom.header import STATEMENT
from myosono.clinic.dicom.pictures import KeyPicture
from myosono.clinic.studies.view import StudyView
from myosono.reading.overlay import heat_over

WIDTH, HEIGHT = 1024, 640
_MARGIN, _TOP, _PANEL_HEIGHT = 16, 46, 376
_PANEL_WIDTH = (WIDTH - 3 * _MARGIN) // 2
_BARS, _FOOT, _FOOT_LINES = 446, 562, 4
_BAR_WIDTH, _VERDICT_LINES = 200, 6
_INK, _MUTED, _WARNING = (235, 235, 235), (165, 165, 170), (255, 196, 87)
_BAR, _GROUND = (94, 201, 98), (52, 52, 58)


def draw_page(view: StudyView, picture: KeyPicture, number: int, count: int) -> Image.Image:
    """A page of `WIDTH` x `HEIGHT`, RGB.

    Parameters
    ----------
    view
        For the patient-level answer, the model and its warnings.
    picture
        The frame.
    number, count
        Of the page, from 1.
    """
    page = Image.new("RGB", (WIDTH, HEIGHT), "black")
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, 12), _title(picture), _INK, _font(22))
    _right(draw, 16, f"page {number} of {count}", _MUTED)
    _panel(page, Image.fromarray(picture.grey), _MARGIN)
    second = 2 * _MARGIN + _PANEL_WIDTH
    if picture.relevance is None:
        _note(draw, second, f"No heat map: {_why_no_heat(picture)}")
    else:
        _panel(page, heat_over(picture.grey, picture.relevance), second)
    heat = picture.key.heat_class if picture.relevance is not None else None
    draw.text((_MARGIN, _BARS - 14), "B-mode; probabilities of this frame", _MUTED, _font(13), anchor="lm")
    if heat is not None:
        said = f"Heat: what spoke for {heat}, on a coarse grid; no outline of a lesion"
        draw.text((second, _BARS - 14), _plain(said), _MUTED, _font(13), anchor="lm")
    _bars(draw, picture)
    _verdict(draw, view, second)
    _foot(draw, view)
    return page


def _title(picture: KeyPicture) -> str:
    key = picture.key
    muscle = MUSCLES.get(key.site.muscle or "", "muscle not known")
    side = SIDES.get(key.site.side or "", "")
    return f"{side} {muscle}".strip().capitalize() + f"  ·  image {key.image.id}, frame {key.frame.frame + 1}"


def _panel(page: Image.Image, picture: Image.Image, left: int) -> None:
    scale = min(_PANEL_WIDTH / picture.width, _PANEL_HEIGHT / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    resized = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    page.paste(resized, (left + (_PANEL_WIDTH - size[0]) // 2, _TOP + (_PANEL_HEIGHT - size[1]) // 2))


def _note(draw: ImageDraw.ImageDraw, left: int, text: str) -> None:
    font = _font(16)
    for number, line in enumerate(_wrapped(draw, text, font, _PANEL_WIDTH - 40)):
        draw.text((left + 20, _TOP + 150 + 24 * number), line, _WARNING, font)


def _why_no_heat(picture: KeyPicture) -> str:
    if picture.key.heat_class is None:
        return "; ".join(picture.key.frame.reasons) or "the reader gave this frame no class"
    return "none was kept for this frame"


def _bars(draw: ImageDraw.ImageDraw, picture: KeyPicture) -> None:
    """Probabilities of this frame, the largest first; of more than five classes the first five."""
    values = sorted(picture.key.frame.probabilities.items(), key=lambda pair: -pair[1])[:5]
    for row, (name, value) in enumerate(values):
        middle = _BARS + 14 + 24 * row
        draw.text((_MARGIN, middle), _plain(name)[:14], _INK, _font(15), anchor="lm")
        left = _MARGIN + 120
        draw.rectangle((left, middle - 7, left + _BAR_WIDTH, middle + 7), _GROUND)
        draw.rectangle((left, middle - 7, left + round(_BAR_WIDTH * value), middle + 7), _BAR)
        draw.text((left + _BAR_WIDTH + 12, middle), f"{value:.1%}", _INK, _font(15), anchor="lm")


def _verdict(draw: ImageDraw.ImageDraw, view: StudyView, left: int) -> None:
    """The patient's answer, then the reasons as far as there is room: the report has them all."""
    lines = [f"Patient: {'no answer (abstained)' if view.abstained else view.answer}"]
    if view.prediction_set:
        lines.append(f"Prediction set: {', '.join(view.prediction_set)}")
    said = "Not signed by a physician"
    if view.held:
        stated = dict.fromkeys(one.diagnosis or "see the report" for one in view.held)
        said = f"Physician{'s differ' if view.differing else ''}: {', '.join(stated)}"
    font = _font(14)
    lines += [said, *(part for reason in view.reasons for part in _wrapped(draw, reason, font, _PANEL_WIDTH))]
    if len(lines) > _VERDICT_LINES:
        lines = [*lines[: _VERDICT_LINES - 1], "... (more in the report)"]
    for number, line in enumerate(lines):
        draw.text((left, _BARS + (4 + 18 * number if number else 0)), _plain(line), _INK, font if number else _font(17))


def _foot(draw: ImageDraw.ImageDraw, view: StudyView) -> None:
    model = f"{view.model.get('name', '')} {view.model.get('version') or ''} {str(view.model.get('sha256', ''))[:12]}"
    said = " | ".join(dict.fromkeys([STATEMENT, *view.banners]))
    font = _font(13)
    lines = _wrapped(draw, said, font, WIDTH - 2 * _MARGIN)
    if len(lines) > _FOOT_LINES:
        lines = [*lines[: _FOOT_LINES - 1], "Further warnings of the model stand in the image comments and the report."]
    for number, line in enumerate(lines):
        draw.text((_MARGIN, _FOOT + 14 * number), line, _WARNING, font)
    draw.text((_MARGIN, HEIGHT - 16), _plain(f"myosono, model {model}"), _MUTED, _font(12))


def _right(draw: ImageDraw.ImageDraw, top: int, text: str, colour: tuple[int, int, int]) -> None:
    draw.text((WIDTH - _MARGIN, top), text, colour, _font(14), anchor="ra")


def _wrapped(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    lines, line = [], ""
    for word in _plain(text).split():
        longer = f"{line} {word}".strip()
        if line and draw.textlength(longer, font) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def _plain(text: str) -> str:
    """Pillow's own font, the only one that is sure to be there, holds Latin letters only."""
    return text.encode("latin-1", "replace").decode("latin-1")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
