"""`reconciler diff`: what an edit of policy means for people, between two revisions. Has no way to write."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from reconciler import comparison, private, settings
from reconciler.cli import note, redacted, report_failure, terminal
from reconciler.cli.code_host import dialect
from reconciler.cli.context import moment, reach
from reconciler.cli.reports import deliver, options
from reconciler.cli.run import Run, prepare
from reconciler.comparison import Comparison, Ground, Source, Standing
from reconciler.directories import choose
from reconciler.directories.file import saved
from reconciler.errors import ExitCode, PolicyError, ReadError, SettingsError
from reconciler.git.revision import Repository
from reconciler.model import Membership
from reconciler.naming import RoleNames
from reconciler.people import identity
from reconciler.policy import source
from reconciler.policy.document import DirectoryKind, Policy
from reconciler.policy.files import shown
from reconciler.policy.source import Folder, Loaded
from reconciler.policy.tree import DISK, Tree
from reconciler.ports import ProviderReader
from reconciler.redaction import Redaction
from reconciler.report import difference
from reconciler.report.difference import Revisions, Told
from reconciler.report.markdown import difference as markdown
from reconciler.scim.client import Client
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Readings

NOTHING = Loaded((), ())


@click.command("diff")
@click.argument("base")
@click.argument("head", required=False, default="")
@click.option(
    "--path",
    default="policies",
    show_default=True,
    type=click.Path(path_type=Path, readable=False),
    help="The folder of an organization, or a folder of such folders.",
)
@click.option(
    "--membership",
    "membership_file",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Who is in which group, as --save-membership or an export of the directory has it. No server is "
    "asked.",
)
@click.option(
    "--save-membership",
    "save_file",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Keep who is in which group, for a later run without a server. The file names people: mode 0600.",
)
@click.option(
    "--exit-code", is_flag=True, help="Exit 3 where anybody's access changes, or that can't be told."
)
@redacted.option("A file of --save-membership stays whole.")
@options("text", "markdown", "json")
def command(
    base: str,
    head: str,
    path: Path,
    membership_file: Path | None,
    save_file: Path | None,
    exit_code: bool,
    redaction: Redaction | None,
    output: str,
    files: tuple[Path, ...],
) -> None:
    """Show which people gain and lose what by an edit of policy. Writes nothing to any server.

    BASE and HEAD are revisions of git: branches, tags, commits. Without HEAD, the edit is the working tree as
    it lies, what is not committed included. As pull requests do, the edit is counted from where HEAD left
    BASE (`git merge-base`): what came to BASE since is no part of it.

    Both policies are laid over the same people: those of --membership; else those of the server and the
    directory that the environment names, as for `plan`; else nobody is looked up, and each group is told as a
    whole. What differs on the server from the policy plays no part: that is drift, which `plan` tells.

    \b
    Examples:
      reconciler diff origin/main
      reconciler diff origin/main HEAD --report diff.md

    \b
    Exit codes:
      0    done, whatever the edit means
      2    the command line is wrong, a revision is unknown, or this clone goes
           not far enough back
      3    somebody's access changes (only with --exit-code)
      6    the policy of HEAD is invalid, or newly names what does not exist
      7    the server, the directory or the saved membership could not be read
           whole, or this clone lacks files of BASE
      130  interrupted
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    if membership_file and save_file:
        raise click.UsageError("--membership and --save-membership exclude each other: it is saved already.")
    repository = Repository.around(path)
    revisions, old, new = _loaded(repository, base, head, path)
    run = _run(new, redaction)
    work = _Work(
        run, old, membership_file, save_file, redaction, as_text=output == "text", exit_code=exit_code
    )
    if output == "text":
        for line in difference.preface(revisions):
            click.echo(line)
    if not run.problems:
        work.all(new)

    def document() -> str:
        content = difference.document(shown(path), revisions, work.told, run.failures, run.problems)
        return json.dumps(content, indent=2)

    renderers = {
        "text": lambda: "\n".join(difference.whole(revisions, work.told, run.failures, run.problems)),
        "markdown": lambda: markdown.document(revisions, work.told, run.failures, run.problems, dialect()),
        "json": document,
    }
    deliver(output, files, renderers, shown_already=True)
    run.exit()


def _loaded(repository: Repository, base: str, head: str, path: Path) -> tuple[Revisions, Loaded, Loaded]:
    """What is compared, and the policy files of both sides. Raises SettingsError, ReadError."""
    theirs, ours = repository.commit(base), repository.commit(head or "HEAD")
    merge_base = repository.merge_base(theirs, ours, base)
    before = repository.tree(merge_base)
    after: Tree = repository.tree(ours) if head else DISK
    if not before.is_folder(path) and not after.is_folder(path):
        raise SettingsError(
            f"neither side has a folder {shown(path)}", "name the folder that holds the policies with --path"
        )
    return (
        Revisions(base, merge_base, head, ours if head else ""),
        source.load_all([path], before) if before.is_folder(path) else NOTHING,
        source.load_all([path], after) if after.is_folder(path) else NOTHING,
    )


def _run(new: Loaded, redaction: Redaction | None) -> Run:
    """A run over the new policies; what is wrong with them is told, and is the edit's."""
    if not new.problems:
        return Run(())
    try:
        with redacted.withheld(redaction):
            raise PolicyError(new.problems)
    except PolicyError as error:
        report_failure(error)
        return Run((), error.problems, [error.exit_code])


@dataclass(slots=True)
class _Work:
    """Comparing all organizations of both sides; what fails in one of them does not stop the others."""

    run: Run
    old: Loaded
    membership_file: Path | None
    save_file: Path | None
    redaction: Redaction | None
    as_text: bool
    exit_code: bool
    told: list[Told] = field(default_factory=list)

    def all(self, new: Loaded) -> None:
        """Compare each organization, by name. Raises SettingsError where a file is for one of several."""
        before = {_name(folder): folder for folder in self.old.folders}
        after = {policy.organization.name: policy for policy in new.policies}
        if len(after) > 1 and (self.membership_file or self.save_file):
            raise SettingsError(
                f"a saved membership is of one organization, and there are {len(after)}: {', '.join(after)}",
                "name the folder of one of them with --path",
            )
        for name in sorted({*before, *after}):
            self.run.attempt(name, partial(self._one, name, before.get(name), after.get(name)))

    def _one(self, name: str, before: Folder | None, after: Policy | None) -> ExitCode:
        with redacted.withheld(self.redaction):
            told = self._told(name, before, after)
        if self.redaction:
            told = replace(told, comparison=self.redaction.comparison(told.comparison))
        self.told.append(told)
        if self.as_text:
            terminal.show_difference(told)
        found = told.comparison
        if found.faults:
            raise PolicyError(found.faults)
        return ExitCode.DRIFT if self.exit_code and found.touches_people else ExitCode.DONE

    def _told(self, name: str, before: Folder | None, after: Policy | None) -> Told:
        if after is None:
            return Told(comparison.gone(name))
        if before is not None and before.problems:
            return Told(comparison.untold(name, before.problems))
        old = before.policy if before else None
        if old is not None and old.tree == after.tree and not self.save_file:
            return Told(Comparison(name, Standing.BOTH, Source.NOWHERE))
        ground, basis = self._ground(old, after)
        return Told(comparison.compare(old, after, ground, moment()), basis)

    def _ground(self, old: Policy | None, new: Policy) -> tuple[Ground, str]:
        """What both are laid over, and in words what that is."""
        if self.membership_file:
            return _saved(self.membership_file, old, new)
        lacking = settings.lacking(new.organization.name, os.environ)
        if not lacking:
            return _asked(old, new, self.save_file)
        if self.save_file:
            raise SettingsError(
                f"there is no membership to save: {lacking} is not set", "see docs/connection.md"
            )
        return Ground(Source.NOWHERE), f"nobody was looked up, as {lacking} is not set: groups are told whole"


def _name(folder: Folder) -> str:
    """The organization of a folder, as far as it says so."""
    return folder.policy.organization.name or Path(os.path.abspath(folder.path)).name


def _saved(file: Path, old: Policy | None, new: Policy) -> tuple[Ground, str]:
    groups = new.groups | (old.groups if old else frozenset())
    now = moment()
    membership, at = saved.read(file, new, groups, now)
    people = comparison.known_people(membership)
    basis = f"people and groups are those of {shown(file)}, saved {at:%Y-%m-%d %H:%M} UTC, {_ago(now - at)}"
    return Ground(Source.SAVED, membership, people, people, as_of=at), basis


def _ago(age: timedelta) -> str:
    hours = age // timedelta(hours=1)
    if hours >= 48:
        return f"{hours // 24} days ago"
    return "less than an hour ago" if hours < 1 else "1 hour ago" if hours == 1 else f"{hours} hours ago"


def _asked(old: Policy | None, new: Policy, save_file: Path | None) -> tuple[Ground, str]:
    """What the server and the directory tell now. Raises ReadError, SettingsError."""
    ground = prepare(new, partial(_read, old=old))
    if save_file:
        _save(save_file, ground, new)
    kind = new.organization.directory.kind
    beside = "" if kind is DirectoryKind.SCIM else f", groups those of the directory ({kind})"
    return ground, f"people are those of {ground.server}{beside}, as of now"


def _read(
    policy: Policy, client: Client, provider: ProviderReader, readings: Readings, *, old: Policy | None
) -> Ground:
    live_for_new = live = provider.read()
    if old is not None:
        live = ScimReader(client, RoleNames(old.organization), old.organization, readings).read()
    with choose.opened(_for_both(policy, old), client, readings, os.environ, reach()) as directory:
        membership = _membership(directory.read, policy, old)
    own_user = None
    with suppress(ReadError):  # of use for one guardrail, and no run hangs on this one
        own_user = provider.token_user()
    return Ground(Source.SERVER, membership, live, live_for_new, provider.server, own_user)


def _membership(read: Callable[..., Membership], policy: Policy, old: Policy | None) -> Membership:
    groups = policy.groups | (old.groups if old else frozenset())
    if policy.organization.directory.kind is DirectoryKind.SCIM:
        return read(groups)
    return identity.together(read(groups, everybody=True))


def _for_both(policy: Policy, old: Policy | None) -> Policy:
    """The policy, asking the directory also for what classes of people of the old one go by."""
    if old is None:
        return policy
    organization = policy.organization
    theirs = {f"{name} (before)": one for name, one in old.organization.classes.items()}
    return replace(policy, organization=replace(organization, classes={**theirs, **organization.classes}))


def _save(file: Path, ground: Ground, policy: Policy) -> None:
    if not ground.membership.groups:
        raise SettingsError("there is no membership to save: no group that the policy names is known", "")
    text, left_out = saved.text(ground.membership, ground.live_for_new, policy, moment())
    try:
        private.write(file, text)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"the membership could not be saved to {shown(file)}: {why}", "name a file that can be written"
        ) from error
    if left_out:
        note(f"{left_out} of people and groups are not in {shown(file)}: no export can hold their names")
