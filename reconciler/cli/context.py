"""What a test hands the command line: how servers are reached, and by which clock. Loads no HTTP itself."""

from datetime import datetime

import click

from reconciler.http.reach import Reach


def reach() -> Reach:
    """How servers are reached; a test hands the command line its own (`CliRunner.invoke(obj=...)`)."""
    return click.get_current_context().find_object(Reach) or Reach()


def moment() -> datetime:
    """Now, aware."""
    return reach().now()
