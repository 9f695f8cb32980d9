"""Where a listing goes on, by the Link header of a page (RFC 8288). Pure."""

import re
from collections.abc import Mapping

_LINK = re.compile(r'<([^>]*)>\s*((?:;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^",;\s]*)\s*)*)')
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"next"|next)\s*(?:;|$)', re.IGNORECASE)


def next_page(headers: Mapping[str, str]) -> str | None:
    """The address of the next page, None after the last; headers of one name arrive joined by commas."""
    links = _LINK.findall(headers.get("link", ""))
    return next((target for target, rest in links if _NEXT.search(rest)), None)
