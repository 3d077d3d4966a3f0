"""The document and its pages: made once, beside the requests of others, and counted by name."""

import asyncio

import pytest
from httpx import AsyncClient

from app.http.pages import PublishedDocument
from tests.support.application import talking_to
from tests.test_metrics import read


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was made of the document, each time that it was made."""
    made: list[bytes] = []
    publish = PublishedDocument._publish

    def count(self: PublishedDocument) -> object:
        published = publish(self)
        made.append(published.body)
        return published

    monkeypatch.setattr(PublishedDocument, "_publish", count)
    return made


async def test_others_are_answered_while_the_document_is_made_once(
    database_url: str, made: list[bytes]
) -> None:
    async with talking_to(database_url) as client:
        readers = [asyncio.create_task(client.get("/openapi.json")) for _ in range(3)]
        answered = 0
        while not any(reader.done() for reader in readers):
            answered += (await client.get("/health/live")).is_success
            await asyncio.sleep(0)
        documents = [(await reader).content for reader in readers]
    assert answered > 10
    assert documents == made * 3


async def test_a_document_that_nobody_asks_for_is_not_made(
    database_url: str, made: list[bytes]
) -> None:
    async with talking_to(database_url) as client:
        await client.get("/docs")
    assert made == []


async def test_a_document_that_is_known_is_not_sent_again(client: AsyncClient) -> None:
    first = await client.get("/openapi.json")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    again = await client.get("/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await client.get("/openapi.json", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_pages_are_counted_by_name(client: AsyncClient) -> None:
    paths = ["/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"]
    labels = [*paths[:3], "/static-offline-docs/{name}"]
    names = [f'task_manager_requests_total{{action="{label}",status="200"}}' for label in labels]
    before = await read(client)
    for path in paths:
        assert (await client.get(path)).status_code == 200
    after = await read(client)
    assert [after[name] - before.get(name, 0) for name in names] == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["missing.js", "%2e%2e%2fcore.py"])
async def test_a_file_that_is_no_part_of_a_page_is_404(client: AsyncClient, name: str) -> None:
    answer = await client.get(f"/static-offline-docs/{name}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_a_page_runs_what_comes_with_it_also_with_a_slash(client: AsyncClient) -> None:
    for path in ("/docs", "/docs/", "/redoc", "/redoc/"):
        answer = await client.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "script-src" not in (await client.get("/health")).headers["content-security-policy"]
