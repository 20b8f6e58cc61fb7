"""The still picture of a score: an SVG that is left where a page runs no scripts. Chapter: 01."""

from collections.abc import Sequence
from html import escape

from mvae_lib.plots.palette import LIGHT
from mvae_lib.widgets.rolls import BEATS_PER_BAR, Roll

WIDTH, HEIGHT, GAP, CAPTION = 640, 120, 8, 16
LANE = 60  # the height of one of several tracks
VOICES = ("keys", "bass", "drums")


def still_svg(rolls: Sequence[Roll], title: str = "") -> str:
    """Piano rolls side by side on one scale of pitch, on light paper; the same text for the same rolls, always.

    The title stands above them, and where there are several voices, their colours below.
    """
    width = (WIDTH - GAP * (len(rolls) - 1)) / len(rolls)
    middles = [index * (width + GAP) + width / 2 for index in range(len(rolls))]
    parts, tracks = [], rolls[0].tracks or ("",)
    lane = HEIGHT if len(tracks) == 1 else LANE
    bottom = lane * len(tracks) + CAPTION * (len(rolls) > 1)
    for track, name in enumerate(tracks):
        of_track = [tuple(sound for sound in roll.sounds if sound.track == track) for roll in rolls]
        pitches = [sound.pitch for sounds in of_track for sound in sounds] or [60, 72]
        low = min(pitches) - 1
        high = max(max(pitches), low + 11) + (5 if name else 1)  # with room for the name of the track
        y = lane * track
        for roll, sounds, middle in zip(rolls, of_track, middles, strict=True):
            parts.append(_roll_svg(roll._replace(sounds=sounds), (middle - width / 2, y, width, lane), low, high))
            if not roll.sounds and track == 0:
                parts.append(text(middle, HEIGHT / 2, "no notes", anchor="middle"))
        parts.append(text(4, y + 11, name, LIGHT.muted) if name else "")
    if len(rolls) > 1:
        parts += [text(x, bottom - 4, roll.title, anchor="middle") for roll, x in zip(rolls, middles, strict=True)]
    voices = [voice for voice in VOICES if any(sound.voice == voice for roll in rolls for sound in roll.sounds)]
    if len(voices) > 1:
        parts.append(legend_svg([(getattr(LIGHT, voice), voice) for voice in voices], bottom + 11))
        bottom += CAPTION
    return titled("".join(parts), bottom, title)


def titled(drawing: str, height: float, title: str) -> str:
    """A picture around a drawing of that height, with the title (may be empty) above it."""
    if title:
        drawing = f'{text(2, 12, title)}<g transform="translate(0 {CAPTION})">{drawing}</g>'
        height += CAPTION
    if "<text" in drawing:  # which is dark, as the page below it may be
        drawing = f'<rect width="{WIDTH}" height="{height:g}" fill="{LIGHT.paper}"/>{drawing}'
    size = f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{drawing}</svg>'


def text(x: float, y: float, words: str, colour: str = LIGHT.ink, anchor: str = "start") -> str:
    """A line of text in a picture."""
    style = f'font-family="sans-serif" font-size="11" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(words)}</text>'


def legend_svg(keys: Sequence[tuple[str, str]], y: float, x: float = 2) -> str:
    """Pairs of a colour and its name in a row from `x` on; `y` is the base line."""
    parts = []
    for colour, name in keys:
        parts.append(f'<rect x="{x:g}" y="{y - 8:g}" width="8" height="8" fill="{colour}"/>{text(x + 12, y, name)}')
        x += 24 + 7 * len(name)  # about the width of a letter
    return "".join(parts)


def _roll_svg(roll: Roll, place: tuple[float, float, float, float], low: int, high: int) -> str:
    """One roll at `place` (x, y, width, height), drawn in units of a beat and a semitone, for short numbers."""
    rows = high - low + 1
    x, y, width, height = place
    frame = f'x="{x:g}" y="{y:g}" width="{width:g}"' if y else f'x="{x:g}" width="{width:g}"'
    frame = f'{frame} height="{height:g}" viewBox="0 -.5 {roll.beats:g} {rows}"'
    paper = f"M0-.5h{roll.beats:g}v{rows}H0z"
    shapes = [f'<path fill="{LIGHT.paper}" stroke="{LIGHT.grid}" vector-effect="non-scaling-stroke" d="{paper}"/>']
    beats = range(int(roll.beats))
    shapes.append(_lines([beat for beat in beats if beat % BEATS_PER_BAR], rows, LIGHT.grid))
    shapes.append(_lines([beat for beat in beats if beat % BEATS_PER_BAR == 0], rows, LIGHT.bar))
    for voice in VOICES:
        # A note is a thick horizontal line, a little short, so that a repeated pitch shows as two.
        path = "".join(
            f"M{sound.start:g} {high - sound.pitch}h{max(sound.length - 0.04, 0.04):.3g}"
            for sound in roll.sounds
            if sound.voice == voice
        )
        if path:
            shapes.append(f'<path stroke="{getattr(LIGHT, voice)}" stroke-width=".9" d="{path}"/>')
    return f'<svg {frame} preserveAspectRatio="none">{"".join(shapes)}</svg>'


def _lines(beats: Sequence[int], rows: int, colour: str) -> str:
    path = "".join(f"M{beat}-.5v{rows}" for beat in beats)
    return f'<path stroke="{colour}" vector-effect="non-scaling-stroke" d="{path}"/>'
