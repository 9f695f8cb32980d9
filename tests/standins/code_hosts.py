"""Stand-ins for GitHub, GitLab and Bitbucket Cloud: a repository each, its pull requests, their comments.

They answer as the vendors' pages say, as far as `reconciler comment` asks. There is no SDK here to referee
them, so each says where its behaviour is from:

- GitHub: docs.github.com/rest/issues/comments, /rest/pulls/pulls, /rest/using-the-rest-api (pagination, rate
  limits); the words of a comment that is too long, and that `viewer` works for an app's token and `GET /user`
  does not, are from issues of projects that met them.
- GitLab: doc/api/notes.md, doc/api/rest and lib/gitlab/quick_actions/extractor.rb of gitlabhq/gitlabhq.
- Bitbucket Cloud: developer.atlassian.com/cloud/bitbucket/rest (api-group-pullrequests, intro#pagination).
"""

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx

TOKEN = "token-of-the-stand-in-0123456789"
BOT = "access-bot"
REPOSITORY = "acme/access"

Document = Any
Honest = Callable[[], httpx.Response]


@dataclass
class Comment:
    """A comment of pull request 7."""

    id: int
    author: str
    text: str
    deleted: bool = False


@dataclass
class PullRequest:
    """An open pull request, from a branch of the repository or of a fork."""

    number: int
    branch: str
    source: str = REPOSITORY


@dataclass
class Fault:
    """Something else in the place of the first answer about comments; `honest` gives the right one."""

    method: str
    spoilt: Callable[[Honest], httpx.Response]


@dataclass
class CodeHost(ABC):
    """State, knobs, faults, and what it was asked."""

    token_author: str = BOT
    pull_requests: list[PullRequest] = field(default_factory=lambda: [PullRequest(7, "more-admins")])
    comments: list[Comment] = field(default_factory=list)
    page: int = 100
    """The largest page that it gives."""
    faults: list[Fault] = field(default_factory=list)
    before_post: Callable[[], None] = lambda: None
    """What happens while a comment is on its way."""
    root: str = ""
    """The path that its APIs are below: `/api` of GitHub Enterprise."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    next_id: int = 100

    def add(self, author: str, text: str) -> Comment:
        self.next_id += 1
        self.comments.append(Comment(self.next_id, author, text))
        return self.comments[-1]

    @property
    def texts(self) -> list[str]:
        """What is to be seen."""
        return [one.text for one in self.comments if not one.deleted]

    @property
    def writes(self) -> list[str]:
        return [
            one.partition(" ")[0] for one in self.asked if not one.startswith("GET") and "graphql" not in one
        ]

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        self.asked.append(f"{request.method} {path}")

        def honest() -> httpx.Response:
            return self.serve(request, path)

        for fault in self.faults:
            if fault.method == request.method and re.search(r"/(comments|notes)(/\d+)?$", path):
                self.faults.remove(fault)
                return fault.spoilt(honest)
        return honest()

    @abstractmethod
    def serve(self, request: httpx.Request, path: str) -> httpx.Response: ...

    def found(self, id_: str) -> Comment | None:
        return next((one for one in self.comments if one.id == int(id_) and not one.deleted), None)


class GitHub(CodeHost):
    """github.com. Who may write to a repository may edit everybody's comments there."""

    def serve(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return answered(
                {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}, 401
            )
        body = json.loads(request.content) if request.content else {}
        if path == f"{self.root}/graphql":
            assert body == {"query": "query { viewer { login } }"}
            return answered({"data": {"viewer": {"login": self.token_author}}})
        match request.method, path.removeprefix(f"{self.root and self.root + '/v3'}/repos/{REPOSITORY}"):
            case "GET", "/pulls":
                asked = dict(parse_qsl(request.url.query.decode()))
                heads = {
                    f"{one.source.partition('/')[0]}:{one.branch}": one.number for one in self.pull_requests
                }
                numbers = (
                    [heads[asked["head"]]] if asked["head"] in heads and asked["state"] == "open" else []
                )
                return answered([{"number": number, "state": "open"} for number in numbers])
            case "GET", "/issues/7/comments":
                return self._listed(
                    request, [self._document(one) for one in self.comments if not one.deleted]
                )
            case "POST", "/issues/7/comments":
                self.before_post()
                if refusal := _too_long(body["body"]):
                    return refusal
                return answered(self._document(self.add(self.token_author, body["body"])), 201)
            case method, below if found := re.fullmatch(r"/issues/comments/(\d+)", below):
                return self._one(method, self.found(found[1]), body)
            case _:
                return answered({"message": "Not Found", "status": "404"}, 404)

    def _one(self, method: str, comment: Comment | None, body: Document) -> httpx.Response:
        if comment is None:
            return answered({"message": "Not Found", "status": "404"}, 404)
        if method == "DELETE":
            comment.deleted = True
            return httpx.Response(204)
        assert method == "PATCH"
        comment.text = body["body"]
        return _too_long(body["body"]) or answered(self._document(comment))

    def _listed(self, request: httpx.Request, documents: Sequence[Document]) -> httpx.Response:
        return linked(request, documents, min(self.page, 100))

    def _document(self, comment: Comment) -> Document:
        kind = "Bot" if comment.author.endswith("[bot]") else "User"
        user = {"login": comment.author, "id": 1, "type": kind} if comment.author else None
        return {"id": comment.id, "user": user, "body": comment.text, "created_at": "2026-11-20T12:00:00Z"}


class GitLab(CodeHost):
    """gitlab.com. Lines that begin with a slash are commands, which are obeyed and removed."""

    obeyed: tuple[str, ...] = ()

    def serve(self, request: httpx.Request, path: str) -> httpx.Response:
        sent = request.headers.get("authorization"), request.headers.get("private-token")
        if sent not in ((f"Bearer {TOKEN}", None), (None, TOKEN)):
            return answered({"message": "401 Unauthorized"}, 401)
        body = json.loads(request.content) if request.content else {}
        project = "/api/v4/projects/acme%2Faccess/merge_requests"
        match request.method, path.removeprefix(project):
            case "GET", "/api/v4/user":
                return answered({"id": self._id(self.token_author), "username": self.token_author})
            case "GET", "":
                asked = dict(parse_qsl(request.url.query.decode()))
                assert asked["state"] == "opened"
                return answered(
                    [
                        {
                            "iid": one.number,
                            "source_project_id": 5 if one.source == REPOSITORY else 6,
                            "target_project_id": 5,
                        }
                        for one in self.pull_requests
                        if one.branch == asked["source_branch"]
                    ]
                )
            case "GET", "/7/notes":
                asked = dict(parse_qsl(request.url.query.decode()))
                documents = [self._document(one) for one in self.comments if not one.deleted]
                documents.insert(
                    0, {**self._document(Comment(1, "ann", "changed the title")), "system": True}
                )
                if asked.get("sort", "desc") == "desc":
                    documents.reverse()
                return linked(request, documents, min(self.page, 100))
            case "POST", "/7/notes":
                self.before_post()
                note = self._obeying(body["body"])
                return answered(self._document(self.add(self.token_author, note)), 201)
            case method, below if found := re.fullmatch(r"/7/notes/(\d+)", below):
                return self._one(method, self.found(found[1]), body)
            case _:
                return answered({"message": "404 Not found"}, 404)

    def _one(self, method: str, comment: Comment | None, body: Document) -> httpx.Response:
        if comment is None:
            return answered({"message": "404 Not found"}, 404)
        if comment.author != self.token_author:
            return answered({"message": "403 Forbidden"}, 403)
        if method == "DELETE":
            comment.deleted = True
            return httpx.Response(204)
        assert method == "PUT"
        comment.text = self._obeying(body["body"])
        return answered(self._document(comment))

    def _obeying(self, text: str) -> str:
        self.obeyed += tuple(re.findall(r"^/(?:close|merge|approve)\b.*", text, re.MULTILINE))
        return re.sub(r"^/(?:close|merge|approve)\b.*\n?", "", text, flags=re.MULTILINE).rstrip()

    def _document(self, comment: Comment) -> Document:
        author = {"id": self._id(comment.author), "username": comment.author}
        return {"id": comment.id, "body": comment.text, "author": author, "system": False, "noteable_iid": 7}

    @staticmethod
    def _id(author: str) -> int:
        return int.from_bytes(author.encode()[:6], "big")


class Bitbucket(CodeHost):
    """bitbucket.org. An access token has no account; nobody edits the comments of others."""

    email: str = ""
    """Whose API token it is; it is an access token where this is empty."""

    def serve(self, request: httpx.Request, path: str) -> httpx.Response:
        basic = base64.b64encode(f"{self.email}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != (f"Basic {basic}" if self.email else f"Bearer {TOKEN}"):
            return self._error(401, "Token is invalid, expired, or not supported for this endpoint.")
        body = json.loads(request.content) if request.content else {}
        match request.method, path.removeprefix(f"/2.0/repositories/{REPOSITORY}/pullrequests"):
            case "GET", "/2.0/user":
                if not self.email:
                    return self._error(403, "Your credentials lack one or more required privilege scopes.")
                return answered({"type": "user", "uuid": f"{{{self.token_author}}}"})
            case "GET", "":
                query = dict(parse_qsl(request.url.query.decode()))["q"]
                found = [
                    one for one in self.pull_requests if f'"{one.branch}"' in query and '"OPEN"' in query
                ]
                documents = [
                    {"id": one.number, "source": {"repository": {"full_name": one.source}}} for one in found
                ]
                return self._listed(request, documents)
            case "GET", "/7/comments":
                return self._listed(request, [self._document(one) for one in self.comments])
            case "POST", "/7/comments":
                self.before_post()
                if not body["content"]["raw"]:
                    return self._error(400, "content: This field is required.")
                return answered(self._document(self.add(self.token_author, body["content"]["raw"])), 201)
            case method, below if found_id := re.fullmatch(r"/7/comments/(\d+)", below):
                return self._one(method, self.found(found_id[1]), body)
            case _:
                return self._error(404, f"Repository {REPOSITORY} not found")

    def _one(self, method: str, comment: Comment | None, body: Document) -> httpx.Response:
        if comment is None:
            return self._error(404, "The specified comment does not exist.")
        if comment.author != self.token_author:
            return self._error(403, "You do not have access to edit this comment.")
        if method == "DELETE":
            comment.deleted = True
            return httpx.Response(204)
        assert method == "PUT"
        comment.text = body["content"]["raw"]
        return answered(self._document(comment))

    def _listed(self, request: httpx.Request, documents: Sequence[Document]) -> httpx.Response:
        asked = dict(parse_qsl(request.url.query.decode()))
        size, page = min(int(asked.get("pagelen", "10")), self.page, 100), int(asked.get("page", "1"))
        document = {"values": documents[(page - 1) * size : page * size], "pagelen": size, "page": page}
        if page * size < len(documents):
            document["next"] = following(request, asked, page)
        return answered(document)

    def _document(self, comment: Comment) -> Document:
        return {
            "type": "pullrequest_comment",
            "id": comment.id,
            "content": {"raw": comment.text, "markup": "markdown"},
            "user": {"type": "user", "uuid": f"{{{comment.author}}}"},
            "deleted": comment.deleted,
        }

    @staticmethod
    def _error(status: int, words: str) -> httpx.Response:
        return answered({"type": "error", "error": {"message": words}}, status)


def answered(document: Document, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=document)


def linked(request: httpx.Request, documents: Sequence[Document], most: int) -> httpx.Response:
    """One page of a list, with a Link header to the next one, as GitHub and GitLab have it."""
    asked = dict(parse_qsl(request.url.query.decode()))
    size, page = min(int(asked.get("per_page", "30")), most), int(asked.get("page", "1"))
    response = answered(documents[(page - 1) * size : page * size])
    if page * size < len(documents):
        url = following(request, asked, page)
        response.headers["Link"] = f'<{url}>; rel="next", <{url}>; rel="last"'
    return response


def following(request: httpx.Request, asked: dict[str, str], page: int) -> str:
    url = request.url
    place = f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode().partition('?')[0]}"
    return f"{place}?{urlencode({**asked, 'page': str(page + 1)})}"


def _too_long(text: str) -> httpx.Response | None:
    if len(text) <= 65_536:
        return None
    errors = [{"code": "unprocessable", "message": "body is too long (maximum is 65536 characters)"}]
    return answered({"message": "Validation Failed", "errors": errors}, 422)


# -- what may become of an answer --------------------------------------------------------------------


def status(method: str, number: int, **headers: str) -> Fault:
    """Refused, and not done."""
    return Fault(method, lambda _: httpx.Response(number, json={"message": "no"}, headers=dict(headers)))


def lost(method: str) -> Fault:
    """Done, but the answer never arrives."""

    def spoilt(honest: Honest) -> httpx.Response:
        honest()
        raise httpx.ReadError("Connection reset by peer")

    return Fault(method, spoilt)


def never(method: str) -> Fault:
    """Not done, and no answer either."""

    def spoilt(_: Honest) -> httpx.Response:
        raise httpx.ReadError("Connection reset by peer")

    return Fault(method, spoilt)
