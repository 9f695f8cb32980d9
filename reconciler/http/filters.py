"""Text as a value of a filter, so that no value can end it early and say something else. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote


def scim(text: str) -> str:
    """For SCIM (RFC 7644 section 3.4.2.2), whose filters Okta's API takes, too: a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def odata(text: str) -> str:
    """For OData (4.01, URL Conventions): a quote within is doubled."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def gathered(
    values: Iterable[str], written: Callable[[str], str], most: int, longest: int
) -> Iterator[list[str]]:
    """These in their order, several at a time to ask for together: at most `most`, and no more than fit.

    `written` is what is asked for a value, `longest` how many characters of a URL all of it may take; what
    is longer by itself is asked for alone.
    """
    together: list[str] = []
    length = 0
    for value in values:
        takes = len(quote(written(value), safe=""))
        if together and (len(together) == most or length + takes > longest):
            yield together
            together, length = [], 0
        together.append(value)
        length += takes
    if together:
        yield together
