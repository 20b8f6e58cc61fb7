"""The still picture of a score: an SVG that is left where a page runs no scripts. Chapter: 01."""

from collections.abc import Sequence
from html import escape

from mvae_lib.palette import LIGHT
from mvae_lib.widgets.scores import BEATS_PER_BAR, Roll

WIDTH, HEIGHT, GAP, CAPTION = 640, 120, 8, 16


def still_svg(rolls: Sequence[Roll]) -> str:
    """Piano rolls side by side on one scale of pitch, on light paper; the same text for the same rolls, always."""
    pitches = [sound.pitch for roll in rolls for sound in roll.sounds] or [60, 72]
    low, high = min(pitches) - 1, max(max(pitches), min(pitches) + 10) + 1
    width = (WIDTH - GAP * (len(rolls) - 1)) / len(rolls)
    captioned = len(rolls) > 1
    parts = [
        f'<g transform="translate({index * (width + GAP):g})">{_roll_svg(roll, width, low, high, captioned)}</g>'
        for index, roll in enumerate(rolls)
    ]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT + CAPTION * captioned}" width="{WIDTH}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _roll_svg(roll: Roll, width: float, low: int, high: int, captioned: bool) -> str:
    row = HEIGHT / (high - low + 1)
    beat = width / roll.beats
    lines = {LIGHT.grid: "", LIGHT.bar: ""}
    for line in range(int(roll.beats)):
        lines[LIGHT.grid if line % BEATS_PER_BAR else LIGHT.bar] += f"M{line * beat:.1f} 0v{HEIGHT}"
    # A note is a thick horizontal line, which takes fewer characters than a rectangle.
    notes = {"keys": "", "bass": "", "drums": ""}
    for sound in roll.sounds:
        y = (high - sound.pitch + 0.5) * row
        notes[sound.voice] += f"M{sound.start * beat + 1:.1f} {y:.1f}h{max(sound.length * beat - 1, 2):.1f}"
    shapes = [f'<rect width="{width:g}" height="{HEIGHT}" fill="{LIGHT.paper}" stroke="{LIGHT.grid}"/>']
    shapes += [f'<path d="{path}" stroke="{colour}"/>' for colour, path in lines.items() if path]
    thickness = max(row - 1, 2)
    shapes += [
        f'<path d="{path}" stroke="{getattr(LIGHT, voice)}" stroke-width="{thickness:.1f}"/>'
        for voice, path in notes.items()
        if path
    ]
    text = f'font-family="sans-serif" font-size="11" fill="{LIGHT.ink}"'
    if captioned:
        shapes.append(f'<text x="2" y="{HEIGHT + CAPTION - 4}" {text}>{escape(roll.title)}</text>')
    if not roll.sounds:
        shapes.append(f'<text x="{width / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle" {text}>no notes</text>')
    return "".join(shapes)
