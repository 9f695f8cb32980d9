"""The floor of reading: `python -m benchmarks.floor URL PAGE` lists everybody and every group.

It sends raw requests over 8 connections and decodes each page by msgspec into the fields that the program
needs and no others. It checks nothing, and prints how many people and groups there are.
"""

import gc
import sys
from collections.abc import Mapping

import msgspec

from benchmarks import sockets


class Value(msgspec.Struct, gc=False):
    """A role, a group of somebody, or a member."""

    value: str
    type: str = ""


class Email(msgspec.Struct, gc=False):
    """One of a person's addresses."""

    value: str
    primary: bool = False


class Meta(msgspec.Struct, gc=False):
    """What there is to know of a resource itself."""

    version: str = ""


class User(msgspec.Struct, rename="camel"):
    """A person."""

    id: str
    user_name: str
    external_id: str = ""
    display_name: str = ""
    user_type: str = ""
    active: bool = True
    emails: list[Email] = []
    roles: list[Value] = []
    groups: list[Value] = []
    meta: Meta | None = None


class Group(msgspec.Struct, rename="camel"):
    """A group."""

    id: str
    display_name: str
    members: list[Value] = []


class Users(msgspec.Struct):
    """A page of people."""

    totalResults: int  # noqa: N815 (as it is on the wire)
    Resources: list[User]


class Groups(msgspec.Struct):
    """A page of groups."""

    totalResults: int  # noqa: N815 (as it is on the wire)
    Resources: list[Group]


KINDS: Mapping[str, type[Users] | type[Groups]] = {"/Users": Users, "/Groups": Groups}


def listing(url: str, path: str, page: int, kind: type[Users] | type[Groups]) -> int:
    """How many resources there are at a path, all of them held at once."""
    decoder = msgspec.json.Decoder(kind)
    found: list[Users | Groups] = []

    def use(body: bytearray) -> None:
        found.append(decoder.decode(body))

    with sockets.Connection(url) as connection:
        use(connection.send("GET", f"{path}?startIndex=1&count={page}"))
    starts = range(page + 1, found[0].totalResults + 1, page)
    sockets.abreast(url, (("GET", f"{path}?startIndex={n}&count={page}", b"") for n in starts), use)
    return sum(len(one.Resources) for one in found)


def main() -> None:
    """List everything."""
    gc.disable()
    url, page = sys.argv[1], int(sys.argv[2])
    print(*(listing(url, path, page, kind) for path, kind in KINDS.items()))


if __name__ == "__main__":
    main()
