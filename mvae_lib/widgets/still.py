"""The still picture of a score: an SVG that is left where a page runs no scripts. Chapter: 01."""

from collections.abc import Sequence
from html import escape

from mvae_lib.plots.palette import LIGHT
from mvae_lib.widgets.rolls import BEATS_PER_BAR, Roll

WIDTH, HEIGHT, GAP, CAPTION = 640, 120, 8, 16
_TEXT = f'font-family="sans-serif" font-size="11" text-anchor="middle" fill="{LIGHT.ink}"'


def still_svg(rolls: Sequence[Roll]) -> str:
    """Piano rolls side by side on one scale of pitch, on light paper; the same text for the same rolls, always."""
    pitches = [sound.pitch for roll in rolls for sound in roll.sounds] or [60, 72]
    low = min(pitches) - 1
    high = max(max(pitches), low + 11) + 1
    width = (WIDTH - GAP * (len(rolls) - 1)) / len(rolls)
    height = HEIGHT + CAPTION * (len(rolls) > 1)
    parts = [_roll_svg(roll, index * (width + GAP), width, low, high) for index, roll in enumerate(rolls)]
    if len(rolls) > 1:
        parts += [
            f'<text x="{index * (width + GAP) + width / 2:g}" y="{height - 4}" {_TEXT}>{escape(roll.title)}</text>'
            for index, roll in enumerate(rolls)
        ]
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _roll_svg(roll: Roll, left: float, width: float, low: int, high: int) -> str:
    """One roll, drawn in units of a beat and a semitone, which makes for short numbers."""
    rows = high - low + 1
    frame = f'x="{left:g}" width="{width:g}" height="{HEIGHT}" viewBox="0 -.5 {roll.beats:g} {rows}"'
    paper = f"M0-.5h{roll.beats:g}v{rows}H0z"
    shapes = [f'<path fill="{LIGHT.paper}" stroke="{LIGHT.grid}" vector-effect="non-scaling-stroke" d="{paper}"/>']
    beats = range(int(roll.beats))
    shapes.append(_lines([beat for beat in beats if beat % BEATS_PER_BAR], rows, LIGHT.grid))
    shapes.append(_lines([beat for beat in beats if beat % BEATS_PER_BAR == 0], rows, LIGHT.bar))
    for voice in ("keys", "bass", "drums"):
        # A note is a thick horizontal line, a little short, so that a repeated pitch shows as two.
        path = "".join(
            f"M{sound.start:g} {high - sound.pitch}h{max(sound.length - 0.04, 0.04):.3g}"
            for sound in roll.sounds
            if sound.voice == voice
        )
        if path:
            shapes.append(f'<path stroke="{getattr(LIGHT, voice)}" stroke-width=".9" d="{path}"/>')
    drawing = f'<svg {frame} preserveAspectRatio="none">{"".join(shapes)}</svg>'
    if roll.sounds:
        return drawing
    return f'{drawing}<text x="{left + width / 2:g}" y="{HEIGHT / 2:g}" {_TEXT}>no notes</text>'


def _lines(beats: Sequence[int], rows: int, colour: str) -> str:
    path = "".join(f"M{beat}-.5v{rows}" for beat in beats)
    return f'<path stroke="{colour}" vector-effect="non-scaling-stroke" d="{path}"/>'
