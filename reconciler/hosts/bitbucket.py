"""Pull requests on Bitbucket Cloud (REST API 2.0). It lets nobody edit a comment but who wrote it."""

import json
from collections.abc import Sequence
from typing import Any

from reconciler.hosts.client import Client, RefusedError
from reconciler.hosts.comments import Comment, PullRequests
from reconciler.hosts.credentials import EMAIL, VARIABLES, Credential
from reconciler.hosts.host import Host, Kind
from reconciler.hosts.wire import JsonObject, number, text
from reconciler.http import answers
from reconciler.http.reach import Reach
from reconciler.http.transport import Reply

_TOKEN = VARIABLES[Kind.BITBUCKET]
_ADVICE = {
    401: f"the token is wrong or has expired; check {_TOKEN}. An API token of Atlassian takes {EMAIL} "
    "as well, an access token of Bitbucket does not",
    403: f"{_TOKEN} may not do that: it takes the scope to write pull requests",
    404: f"is there such a pull request, and may {_TOKEN} see the repository?",
}


class Bitbucket(PullRequests):
    """The pull requests of a repository on Bitbucket Cloud."""

    def __init__(self, host: Host, credential: Credential, authorities: str, reach: Reach) -> None:
        self._repository = host.repository
        self._pull_requests = f"/repositories/{host.repository}/pullrequests"
        headers = {"Accept": "application/json"}
        self._client = Client(host.api, credential, headers, authorities, reach, _ADVICE)

    def me(self) -> str | None:
        """The UUID; None to an access token of a repository, which has no account to ask about."""
        try:
            return text(self._client.get("/user"), "uuid") or None
        except RefusedError as error:
            if error.status in (401, 403, 404):
                return None
            raise

    def open_from(self, branch: str) -> Sequence[int]:
        query = f'source.branch.name = {json.dumps(branch, ensure_ascii=False)} AND state = "OPEN"'
        entries = self._client.all_of(self._pull_requests, [("q", query), ("pagelen", "50")], _page)
        return [number(entry, "id") for entry in entries if self._is_own(entry)]

    def _is_own(self, entry: JsonObject) -> bool:
        """Whether a pull request is from the repository itself: a fork has such branches, too."""
        source = text(entry, "source", "repository", "full_name")
        return source.casefold() == self._repository.casefold()

    def comments(self, pull_request: int) -> Sequence[Comment]:
        params = [("pagelen", "100"), ("sort", "created_on")]
        entries = self._client.all_of(f"{self._pull_requests}/{pull_request}/comments", params, _page)
        return [_comment(entry) for entry in entries if entry.get("deleted") is not True]

    def post(self, pull_request: int, body: str) -> Comment:
        path = f"{self._pull_requests}/{pull_request}/comments"
        return _comment(self._client.write("POST", path, {"content": {"raw": body}}, repeatable=False))

    def edit(self, pull_request: int, comment: Comment, body: str) -> Comment:
        path = f"{self._pull_requests}/{pull_request}/comments/{comment.id}"
        return _comment(self._client.write("PUT", path, {"content": {"raw": body}}, repeatable=True))

    def delete(self, pull_request: int, comment: Comment) -> None:
        self._client.delete(f"{self._pull_requests}/{pull_request}/comments/{comment.id}")

    def close(self) -> None:
        self._client.close()


def _page(reply: Reply) -> tuple[list[Any], str | None] | None:
    """A page is an object with its entries and the address of the next one."""
    document = answers.json_object(reply.body) or {}
    entries = document.get("values")
    return (entries, text(document, "next") or None) if isinstance(entries, list) else None


def _comment(entry: JsonObject) -> Comment:
    return Comment(number(entry, "id"), text(entry, "user", "uuid"), text(entry, "content", "raw"))
