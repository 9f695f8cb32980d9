"""`reconciler schema`: prints the JSON Schemas of policies, plans and exports, as they are published."""

import click

from reconciler.cli import completion
from reconciler.policy import schema
from reconciler.problem import did_you_mean


@click.command("schema")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completion.schemas)
def command(name: str | None) -> None:
    """Print a JSON Schema, for an editor or another checker.

    NAME is `organization` (for organization.yaml), `policy` (for every other file of a policy), `plan` (for a
    plan file) or `directory` (for an export of the identity provider). Without it, the names are listed, each
    with what it describes.

    \b
    Examples:
      reconciler schema
      reconciler schema policy > policy.schema.json
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    schemas = {**schema.SCHEMAS, **schema.DOCUMENTS}
    if name is None:
        for known, about in schemas.items():
            click.echo(f"{known:<14}{about}")
        return
    if name not in schemas:
        known_names = ", ".join(schemas)
        suggestion = did_you_mean(name, schemas) or f"; the names are {known_names}"
        raise click.UsageError(f"there is no schema '{name}'{suggestion}")
    click.echo(schema.text(name), nl=False)
