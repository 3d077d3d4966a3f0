"""A key is good when the provider lists its models for it, and only then."""

import time
from collections.abc import AsyncIterator

import pytest

from app.doors.sessions import providers
from app.doors.sessions.providers import Gemini
from tests.support.provider import HANG, Provider

KEY = "AIzaSyExampleExampleExample"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as provider:
        yield provider


async def test_a_key_that_is_accepted_is_a_success(provider: Provider) -> None:
    verdict = await Gemini(provider.url).check(KEY)
    assert verdict == ("success", "The provider accepted the API key")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("refuse", "The provider refused the API key"),
        ("forbid", "The provider refused the API key"),
        ("overload", "The provider's answer was not to be understood"),
        ("break", "The provider's answer was not to be understood"),
        ("redirect", "The provider's answer was not to be understood"),
        ("other page", "The provider's answer was not to be understood"),
        ("other JSON", "The provider's answer was not to be understood"),
        ("flood", "The provider's answer was not to be understood"),
        ("garbage", "The provider could not be asked"),
        ("nothing", "The provider could not be asked"),
    ],
)
async def test_anything_else_is_a_failure(provider: Provider, behaviour: str, message: str) -> None:
    provider.behaviour = behaviour
    assert await Gemini(provider.url).check(KEY) == ("failure", message)


async def test_a_provider_that_hangs_is_given_up(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert providers._TIMEOUT == 10
    monkeypatch.setattr(providers, "_TIMEOUT", 0.3)
    provider.behaviour = HANG
    started = time.perf_counter()
    verdict = await Gemini(provider.url).check(KEY)
    assert verdict == ("failure", "The provider did not answer in time")
    assert 0.3 <= time.perf_counter() - started < 1


async def test_an_unreachable_provider_is_a_failure() -> None:
    verdict = await Gemini("http://localhost:1").check(KEY)
    assert verdict == ("failure", "The provider could not be asked")


@pytest.mark.parametrize("suffix", ["", "/", "/behind/a/gateway"])
async def test_the_key_is_sent_in_a_header_and_never_in_the_address(
    provider: Provider, suffix: str
) -> None:
    await Gemini(provider.url + suffix).check(KEY)
    line, *headers = provider.requests[0].split(b"\r\n")
    path = b"%b/v1beta/models?pageSize=1" % suffix.rstrip("/").encode()
    assert line == b"GET %b HTTP/1.1" % path
    assert b"x-goog-api-key: " + KEY.encode() in headers
