"""The peer in reading: `python -m benchmarks.peer URL PAGE` lists everything with scim2-client, as one would.

Its models validate what comes, which is its normal use, and so is Python's collection of garbage, which takes
a quarter of its time. It comes with an engine for one HTTP library that the program does not need otherwise,
so it is given one for httpx, which is nothing beside the rest.
"""

import sys
from time import process_time
from typing import Any

import httpx
from scim2_client import BaseSyncSCIMClient
from scim2_models import EnterpriseUser, Group, ListResponse, ResourceType, ScimProvider, SearchRequest, User

MODELS = (User[EnterpriseUser], Group)


class Client(BaseSyncSCIMClient):
    """scim2-client over httpx."""

    def __init__(self, http: httpx.Client) -> None:
        resource_types = [ResourceType.from_resource(User[EnterpriseUser]), ResourceType.from_resource(Group)]
        super().__init__(
            provider=ScimProvider(models=[User, EnterpriseUser, Group], resource_types=resource_types)
        )
        self._http = http

    def request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        return self._http.request(method, url, **kwargs)

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return True

    def _parse_json(self, response: Any) -> Any:
        return response.json()


def listing(client: Client, model: Any, page: int) -> list[Any]:
    """All resources of a model, page by page."""
    found: list[Any] = []
    while True:
        answer = client.query(model, query_parameters=SearchRequest(start_index=len(found) + 1, count=page))
        assert isinstance(answer, ListResponse)
        found += answer.resources or []
        if not answer.resources or len(found) >= (answer.total_results or 0):
            return found


def everything(url: str, page: int) -> list[int]:
    """How many people and groups there are, all of them held at once."""
    with httpx.Client(base_url=url) as http:
        found = [listing(Client(http), model, page) for model in MODELS]
    return [len(one) for one in found]


def main() -> None:
    """List everything."""
    begun = process_time()
    print(*everything(sys.argv[1], int(sys.argv[2])), process_time() - begun)


if __name__ == "__main__":
    main()
