"""Merge requests on GitLab, on gitlab.com or self-managed: their notes (REST API, version 4)."""

from collections.abc import Sequence
from urllib.parse import quote

from reconciler.hosts.client import Client, linked
from reconciler.hosts.comments import Comment, PullRequests
from reconciler.hosts.credentials import VARIABLES, Credential
from reconciler.hosts.host import Host, Kind
from reconciler.hosts.wire import JsonObject, number, text
from reconciler.http.reach import Reach

_TOKEN = VARIABLES[Kind.GITLAB]
_ADVICE = {
    401: f"the token is wrong or has expired; check {_TOKEN}. A job token (CI_JOB_TOKEN) can't write notes",
    403: f"{_TOKEN} may not do that: it takes the scope `api`, of somebody who may comment there",
    404: f"is there such a merge request, and may {_TOKEN} see the project?",
}


class GitLab(PullRequests):
    """The merge requests of a project on GitLab."""

    def __init__(self, host: Host, credential: Credential, authorities: str, reach: Reach) -> None:
        self._merge_requests = f"/projects/{quote(host.repository, safe='')}/merge_requests"
        headers = {"Accept": "application/json"}
        self._client = Client(host.api, credential, headers, authorities, reach, _ADVICE)

    def me(self) -> str:
        return str(number(self._client.get("/user"), "id"))

    def open_from(self, branch: str) -> Sequence[int]:
        params = [("state", "opened"), ("source_branch", branch), ("per_page", "100")]
        return [
            number(entry, "iid")
            for entry in self._client.all_of(self._merge_requests, params, linked)
            if number(entry, "source_project_id") == number(entry, "target_project_id")  # else of a fork
        ]

    def comments(self, pull_request: int) -> Sequence[Comment]:
        params = [
            ("per_page", "100"),
            ("sort", "asc"),
        ]  # what is written meanwhile comes last, on a later page
        entries = self._client.all_of(self._notes(pull_request), params, linked)
        return [_comment(entry) for entry in entries]

    def post(self, pull_request: int, body: str) -> Comment:
        path = self._notes(pull_request)
        return _comment(self._client.write("POST", path, {"body": body}, repeatable=False))

    def edit(self, pull_request: int, comment: Comment, body: str) -> Comment:
        path = f"{self._notes(pull_request)}/{comment.id}"
        return _comment(self._client.write("PUT", path, {"body": body}, repeatable=True))

    def delete(self, pull_request: int, comment: Comment) -> None:
        self._client.delete(f"{self._notes(pull_request)}/{comment.id}")

    def _notes(self, pull_request: int) -> str:
        return f"{self._merge_requests}/{pull_request}/notes"

    def close(self) -> None:
        self._client.close()


def _comment(entry: JsonObject) -> Comment:
    author = entry.get("author")
    id_ = author.get("id") if isinstance(author, dict) else None
    return Comment(number(entry, "id"), str(id_ or ""), text(entry, "body"))
