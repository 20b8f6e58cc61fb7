"""Still pictures of instruments, for pages that run no scripts. Chapter: 08."""

from html import escape

from mvae_lib.plots.palette import LIGHT
from mvae_lib.widgets.explorers.page import SERIES, Json

WIDTH, HEIGHT, MARGIN = 640, 320, 10
RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # viridis, as in map.js


def map_svg(data: Json) -> str:
    """The points of a latent map in their colours, one path a colour."""
    places: dict[str, list[str]] = {}
    for index, (x, y) in enumerate(data["points"]):
        across, down = MARGIN + x * (WIDTH - 2 * MARGIN), MARGIN + (1 - y) * (HEIGHT - 2 * MARGIN)
        places.setdefault(_color(data, index), []).append(f"M{across:.0f} {down:.0f}h0")
    style = 'stroke-width="5" stroke-linecap="round"'
    dots = "".join(f'<path stroke="{color}" {style} d="{"".join(path)}"/>' for color, path in places.items())
    return _svg(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT.paper}" stroke="{LIGHT.grid}"/>{dots}')


def _color(data: Json, point: int) -> str:
    if "groups" in data:
        return SERIES["light"][data["groups"]["of"][point]]
    if "ramp" not in data:
        return LIGHT.keys
    share = data["ramp"]["of"][point]
    if share is None:
        return LIGHT.grid
    # Rounded to 32 colours, so that the picture has few paths.
    place = round(share * 31) / 31 * (len(RAMP) - 1)
    index = min(int(place), len(RAMP) - 2)
    mixed = (a + (place - index) * (b - a) for a, b in zip(RAMP[index], RAMP[index + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def _svg(content: str) -> str:
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{content}</svg>'


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """A line of text in a picture."""
    style = f'font-family="sans-serif" font-size="11" text-anchor="{anchor}" fill="{LIGHT.ink}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(words)}</text>'
