"""One HTML file that needs nothing but itself: templates, style and script put together. Knows no page.

Whatever a template shows goes through `printable` and is escaped, so names from outside are harmless in it.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from reconciler.phrases import minute
from reconciler.report import past
from reconciler.report.plain import printable

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = "reconciler.report.page"


def render(template: str, **shown: object) -> str:
    """A page by one of the package's templates, which extends `base.html`; `shown` are its variables.

    The template sets the block `title` and `content`; `data` among `shown` is what the script reads.
    """
    style, script = _asset("style.css"), _asset("script.js")
    page = _environment().get_template(template)
    return page.render(
        style=style, script=script, style_hash=_hashed(style), script_hash=_hashed(script), **shown
    )


@cache
def _environment() -> "Environment":
    # It takes a third of the time that a command needs to begin, and most runs write no page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `tojson` writes <, > and & as escapes, so no text in it ends the element or begins a comment.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters |= {"utc": minute, "result": past.result, "printable": printable}
    return environment


def _harmless(value: object) -> object:
    """A value as a template shows it; what templates made is left as it is."""
    return value if hasattr(value, "__html__") else printable(str(value))


@cache
def _asset(name: str) -> str:
    """A file of ours that stands in the page as it is."""
    return resources.files(_PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    """What a Content-Security-Policy calls an inlined element by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
