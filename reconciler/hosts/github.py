"""Pull requests on GitHub and GitHub Enterprise: the REST API, and GraphQL for who the token is."""

from collections.abc import Sequence

from reconciler.errors import HostError
from reconciler.hosts.client import Client, linked
from reconciler.hosts.comments import Comment, PullRequests
from reconciler.hosts.credentials import VARIABLES, Credential
from reconciler.hosts.host import Host, Kind
from reconciler.hosts.wire import JsonObject, number, text
from reconciler.http.reach import Reach

_TOKEN = VARIABLES[Kind.GITHUB]
_ADVICE = {
    401: f"the token is wrong or has expired; check {_TOKEN}",
    403: f"{_TOKEN} may not do that: it takes the right to write pull requests. In GitHub Actions that is "
    "`permissions: {pull-requests: write}`, and a pull request from a fork never has it",
    404: f"is there such a pull request, and may {_TOKEN} see the repository?",
    422: "GitHub takes no such comment",
}
_ENTERPRISE = "/v3"


class GitHub(PullRequests):
    """The pull requests of a repository on GitHub."""

    def __init__(self, host: Host, credential: Credential, authorities: str, reach: Reach) -> None:
        # GraphQL is beside the REST API of GitHub Enterprise, and below that of GitHub.
        base = host.api.removesuffix(_ENTERPRISE)
        self._rest = host.api[len(base) :]
        self._repository = host.repository
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._client = Client(base, credential, headers, authorities, reach, _ADVICE)

    def me(self) -> str:
        """The login; GraphQL tells it to the token of an app as well, which `GET /user` refuses."""
        document = self._client.ask("/graphql", {"query": "query { viewer { login } }"})
        login = text(document, "data", "viewer", "login")
        if not login:
            raise HostError("GitHub does not tell whose token it is", _ADVICE[401])
        return login

    def open_from(self, branch: str) -> Sequence[int]:
        owner = self._repository.partition("/")[0]
        params = [("state", "open"), ("head", f"{owner}:{branch}"), ("per_page", "100")]
        path = f"{self._rest}/repos/{self._repository}/pulls"
        return [number(one, "number") for one in self._client.all_of(path, params, linked)]

    def comments(self, pull_request: int) -> Sequence[Comment]:
        entries = self._client.all_of(
            f"{self._issues}/{pull_request}/comments", [("per_page", "100")], linked
        )
        return [_comment(entry) for entry in entries]

    def post(self, pull_request: int, body: str) -> Comment:
        path = f"{self._issues}/{pull_request}/comments"
        return _comment(self._client.write("POST", path, {"body": body}, repeatable=False))

    def edit(self, pull_request: int, comment: Comment, body: str) -> Comment:
        path = f"{self._issues}/comments/{comment.id}"
        return _comment(self._client.write("PATCH", path, {"body": body}, repeatable=True))

    def delete(self, pull_request: int, comment: Comment) -> None:
        self._client.delete(f"{self._issues}/comments/{comment.id}")

    @property
    def _issues(self) -> str:
        return f"{self._rest}/repos/{self._repository}/issues"

    def close(self) -> None:
        self._client.close()


def _comment(entry: JsonObject) -> Comment:
    return Comment(number(entry, "id"), text(entry, "user", "login"), text(entry, "body"))
