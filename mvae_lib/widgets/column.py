"""Widgets one below another, which also show on a page without a kernel. Chapter: 00."""

import base64
import html
import re

import ipywidgets

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)


class Column(ipywidgets.VBox):
    """A column of widgets; its page without a kernel holds the pages of its players and explorers."""

    def __repr__(self) -> str:
        return f"<column of {', '.join(_words(child) for child in self.children)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        bundle = super()._repr_mimebundle_()
        page = _without_repeated_scripts("".join(_page(child) for child in self.children))
        return {_WIDGET_VIEW: bundle[_WIDGET_VIEW], "text/plain": repr(self), "text/html": page}


def column(*children: ipywidgets.Widget) -> Column:
    """The widgets one below another: players, explorers, and the sliders and buttons that drive them.

    An ipywidgets.VBox shows as grey text in a page that nbconvert wrote, since its children need a kernel. A column
    shows there what needs none: players, explorers, pictures and texts; a line names what is left out. Raises TypeError
    for what is no widget, as the result of `play`: give a `Player`.

    Chapter: 00.
    """
    for child in children:
        if not isinstance(child, ipywidgets.Widget):
            raise TypeError(f"a column holds widgets, and a {type(child).__name__} is none; a Player is one")
    return Column(list(children))


def _page(widget: ipywidgets.Widget) -> str:
    """What of a widget shows without a kernel, as HTML."""
    if isinstance(widget, ipywidgets.Image):
        source = f"data:image/{widget.format};base64,{base64.b64encode(widget.value).decode()}"
        return f'<p><img src="{source}" alt="{html.escape(getattr(widget, "alt", "") or "")}"></p>'
    if isinstance(widget, (ipywidgets.HTML, ipywidgets.HTMLMath)):
        return f"<div>{widget.value}</div>"
    if isinstance(widget, ipywidgets.Label):
        return f"<div>{html.escape(widget.value)}</div>"
    if isinstance(widget, ipywidgets.Box):
        return "".join(_page(child) for child in widget.children)
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return data.get("text/html") or f"<p><small>{html.escape(_words(widget))}: works with a kernel only</small></p>"


def _words(widget: ipywidgets.Widget) -> str:
    """A widget in a few words, the same in every process."""
    if type(widget).__module__.startswith("mvae_lib."):
        return repr(widget)
    description = getattr(widget, "description", "")
    return f"{type(widget).__name__} “{description}”" if description else type(widget).__name__


def _without_repeated_scripts(page: str) -> str:
    """The page with each script once: the scripts of all players are the same."""
    seen: set[str] = set()

    def once(match: re.Match) -> str:
        again = match[0] in seen
        seen.add(match[0])
        return "" if again else match[0]

    return _SCRIPT.sub(once, page)
