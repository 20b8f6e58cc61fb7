"""Still pictures of explorers, for pages that run no scripts. Chapter: 09."""

from mvae_lib.plots.palette import LIGHT
from mvae_lib.widgets.explorers.page import SERIES, Json
from mvae_lib.widgets.still import CAPTION, WIDTH, legend_svg, text, titled

HEIGHT, MARGIN = 320, 10
RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # viridis, as in places.js


def map_svg(data: Json) -> str:
    """The points of a latent map in their colours, one path for each colour, with the title and a legend."""
    places: dict[str, list[str]] = {}
    for index, (x, y) in enumerate(data["points"]):
        across, down = MARGIN + x * (WIDTH - 2 * MARGIN), MARGIN + (1 - y) * (HEIGHT - 2 * MARGIN)
        places.setdefault(_color(data, index), []).append(f"M{across:.0f} {down:.0f}h0")
    style = 'stroke-width="5" stroke-linecap="round"'
    dots = "".join(f'<path stroke="{color}" {style} d="{"".join(path)}"/>' for color, path in places.items())
    drawing = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT.paper}" stroke="{LIGHT.grid}"/>{dots}'
    legend = _legend(data)
    height = HEIGHT + CAPTION * bool(legend)
    return titled(drawing + legend, height, data["title"])


def _legend(data: Json) -> str:
    base = HEIGHT + 12
    if "groups" in data:
        label, names = data["groups"]["label"], data["groups"]["names"]
        keys = list(zip(SERIES["light"], names, strict=False))
        after = 2 + (7 * len(label) + 12 if label else 0)
        return (text(2, base, label) if label else "") + legend_svg(keys, base, after)
    if "ramp" not in data:
        return ""
    ramp, width, shares = data["ramp"], 4, [step / 24 for step in range(25)]
    words = f"{ramp['label']} {short(ramp['low'])}".strip()
    left = 2 + 7 * len(words) + 4
    bar = "".join(
        f'<rect x="{left + width * step}" y="{base - 8}" width="{width}" height="8" fill="{_mixed(share)}"/>'
        for step, share in enumerate(shares)
    )
    return text(2, base, words) + bar + text(left + width * len(shares) + 4, base, short(ramp["high"]))


def short(number: float) -> str:
    """Two digits, without an exponent: 300 rather than 3.0e+02; places.js has the same."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:.0f}" if rounded.is_integer() else f"{rounded:.10f}".rstrip("0").rstrip(".")


def _color(data: Json, point: int) -> str:
    if "groups" in data:
        return SERIES["light"][data["groups"]["of"][point]]
    if "ramp" not in data:
        return LIGHT.keys
    share = data["ramp"]["of"][point]
    if share is None:
        return LIGHT.grid
    return _mixed(round(share * 31) / 31)  # of 32 colours, so that the picture has few paths


def _mixed(share: float) -> str:
    """The colour of the ramp at a share of its length."""
    place = share * (len(RAMP) - 1)
    index = min(int(place), len(RAMP) - 2)
    mixed = (a + (place - index) * (b - a) for a, b in zip(RAMP[index], RAMP[index + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)
