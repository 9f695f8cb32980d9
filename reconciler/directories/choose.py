"""The directory that a policy names, opened. The one place that knows all kinds of them, and loads one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import assert_never

from reconciler.directories.scim import ScimDirectory
from reconciler.http.reach import Reach
from reconciler.policy.document import DirectoryKind, Policy
from reconciler.ports import Directory
from reconciler.scim.client import Client
from reconciler.scim.reading import Readings


@contextmanager
def opened(
    policy: Policy, client: Client, readings: Readings, environ: Mapping[str, str], reach: Reach
) -> Iterator[Directory]:
    """The directory of an organization; its connections are closed when the block ends.

    `client` and `readings` are the provider's, for the kind that reads the same server. Raises
    SettingsError where the environment does not say where it is.
    """
    settings = policy.organization.directory
    match settings.kind:
        case DirectoryKind.SCIM:
            yield ScimDirectory(client, settings, readings)
        case DirectoryKind.FILE:
            from reconciler.directories.file.directory import FileDirectory
            from reconciler.settings.export import export_file

            file = export_file(policy.organization.name, environ)
            yield FileDirectory(file, settings, reach.now)
        case DirectoryKind.ENTRA:
            from reconciler.directories.entra import directory as entra

            with entra.opened(policy.organization, environ, reach) as directory:
                yield directory
        case DirectoryKind.OKTA:
            from reconciler.directories.okta import directory as okta

            with okta.opened(policy.organization, environ, reach) as directory:
                yield directory
        case _ as never:
            assert_never(never)
