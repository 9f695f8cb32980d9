"""`reconciler schema`: prints the JSON Schemas of the policy language, as they are published."""

import click

from reconciler.policy import schema
from reconciler.problem import did_you_mean


@click.command("schema")
@click.argument("name", metavar="[NAME]", required=False)
def command(name: str | None) -> None:
    """Print a JSON Schema of the policy language, for an editor or another checker.

    NAME is `organization` (for organization.yaml) or `policy` (for every other file). Without it, the
    names are listed, each with what it describes.
    """
    if name is None:
        for known, about in schema.SCHEMAS.items():
            click.echo(f"{known:<14}{about}")
        return
    if name not in schema.SCHEMAS:
        known_names = ", ".join(schema.SCHEMAS)
        suggestion = did_you_mean(name, schema.SCHEMAS) or f"; the names are {known_names}"
        raise click.UsageError(f"there is no schema '{name}'{suggestion}")
    click.echo(schema.text(name), nl=False)
