"""The services whose API keys users keep here: does one accept a key?"""

import asyncio
import ssl
from functools import cached_property

import httpx
from pydantic_core import from_json

from app.models.secret import Verdict

_TIMEOUT = 10.0
_LONGEST_ANSWER = 64 * 1024
_REFUSALS = frozenset({400, 401, 403})


class Gemini:
    """Google's Gemini, asked for its list of models."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url.rstrip('/')}/v1beta/models"

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # 45 ms and the authorities of the whole world, which most workers never need.
        return httpx.create_ssl_context()

    async def check(self, key: str) -> Verdict:
        """Whether it accepts the key, told within ten seconds."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                return _judge(*await self._list_models(key))
        except TimeoutError:
            return Verdict("failure", "The provider did not answer in time")
        except httpx.HTTPError:
            return Verdict("failure", "The provider could not be asked")

    async def _list_models(self, key: str) -> tuple[int, bytes]:
        # In a header, because addresses end up in logs; unpacked, so that its length is known.
        headers = {"x-goog-api-key": key, "Accept-Encoding": "identity"}
        body = b""
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=None) as client,  # noqa: S113 - see above
            client.stream("GET", self._url, params={"pageSize": 1}, headers=headers) as answer,
        ):
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _LONGEST_ANSWER:
                    break
        return answer.status_code, body


def _judge(status: int, body: bytes) -> Verdict:
    if status in _REFUSALS:
        return Verdict("failure", "The provider refused the API key")
    if status == 200 and _lists_models(body):
        return Verdict("success", "The provider accepted the API key")
    return Verdict("failure", "The provider's answer was not to be understood")


def _lists_models(body: bytes) -> bool:
    try:
        content = from_json(body)
    except ValueError:
        return False
    return isinstance(content, dict) and "models" in content
