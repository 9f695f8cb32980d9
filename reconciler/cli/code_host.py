"""The code host that CI says a command runs for: how Markdown is to be written for it."""

import os

from reconciler.report.markdown.dialect import Dialect


def dialect() -> Dialect:
    """The Markdown of the code host that CI says this runs for; what is safe anywhere where it says nothing.

    Raises SettingsError where a variable that says where a host is makes no sense.
    """
    from reconciler import hosts  # which only Markdown is written for
    from reconciler.hosts import Kind, body
    from reconciler.hosts.host import LIMITS

    host = hosts.recognized(os.environ)
    return host.dialect if host else Dialect(limit=LIMITS[Kind.GITHUB] - body.ROOM)
