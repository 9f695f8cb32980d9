"""Which of a job's parallel containers this is, as CircleCI tells each of them."""

from collections.abc import Mapping

from reconciler import shards
from reconciler.errors import SettingsError
from reconciler.shards import Shard

INDEX = "CIRCLE_NODE_INDEX"
TOTAL = "CIRCLE_NODE_TOTAL"


def shard(environ: Mapping[str, str]) -> Shard:
    """The part of the organizations that is this container's: all, where it is the only one or none is told.

    Raises SettingsError for what makes no sense: a part that nobody takes would be nobody's access.
    """
    index, total = environ.get(INDEX, ""), environ.get(TOTAL, "")
    if not index and not total:
        return shards.ALL
    try:
        return Shard(_number(INDEX, index or "0" * (total == "1")), _number(TOTAL, total or "1"))
    except ValueError as error:
        raise SettingsError(
            f"{INDEX} '{index}' and {TOTAL} '{total}' tell no shard: {error}",
            f"--shard says it instead: {shards.FORM}; 0/1 is all of it",
        ) from error


def _number(name: str, text: str) -> int:
    if not text:
        raise ValueError(f"{name} is not set")
    return shards.number(text)
