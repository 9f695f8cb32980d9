"""Where the export of the identity provider is, for `directory: {kind: file}`. Opens nothing."""

from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import SettingsError
from reconciler.settings import prefix

FILE = "DIRECTORY_FILE"


def export_file(organization: str, environ: Mapping[str, str]) -> Path:
    """The file that `DIRECTORY_FILE` names, or the same with the organization's name in front, which wins.

    Raises SettingsError where neither is set.
    """
    name = prefix(organization, environ, [FILE]) + FILE
    path = environ.get(name, "")
    if not path:
        raise SettingsError(
            f"{name} is {'empty' if name in environ else 'not set'}",
            f"set {name} to the export of the identity provider: a file in JSON, YAML or CSV",
        )
    return Path(path)
