"""The mirror: a bucket with the present state of what the door of contacts shows."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.config import WorkerSettings
from app.errors import Unavailable
from app.services import Connection, mirror
from app.services.deliveries import Delivery
from app.services.mirror import Document

if TYPE_CHECKING:
    from obstore.store import S3Config

FOLDERS = {"contact": "users", "call": "calls", "task": "tasks"}
_TIMEOUT = 3.0
_LISTED_AT_ONCE = 500


def open_bucket(settings: WorkerSettings) -> S3Store:
    """The configured bucket. The role of the machine or ECS task opens it where no keys are set."""
    config: S3Config = {"region": settings.aws_region, "disable_bulk_delete": True}
    if settings.aws_endpoint_url:
        config["endpoint"] = settings.aws_endpoint_url.rstrip("/")
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        config["access_key_id"] = settings.aws_access_key_id
        config["secret_access_key"] = settings.aws_secret_access_key.get_secret_value()
    return S3Store(
        settings.aws_s3_bucket,
        config=config,
        client_options={
            "allow_http": True,
            "timeout": timedelta(seconds=_TIMEOUT),
            "default_content_type": "application/json",
        },
        # The consumer tries again, with what is true by then.
        retry_config={"max_retries": 0},
    )


class Mirror:
    """Writes `users|calls|tasks/<id>.json` in the door's own shape, and removes what is gone."""

    name = mirror.NAME
    interest = mirror.INTEREST

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket

    async def deliver(
        self, db: Connection, claimed: Sequence[Delivery]
    ) -> Mapping[UUID, BaseException]:
        """Brings the objects of these entities up to date, all at once."""
        entity_ids = defaultdict(list)
        for one in claimed:
            entity_ids[one.kind].append(one.entity_id)
        documents = await mirror.find_documents(db, entity_ids)
        writes = (self._write(one, documents.get(one.entity_id)) for one in claimed)
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        return {
            one.entity_id: outcome
            for one, outcome in zip(claimed, outcomes, strict=True)
            if isinstance(outcome, BaseException)  # a panic of obstore's is no Exception
        }

    async def _write(self, one: Delivery, document: Document | None) -> None:
        path = f"{FOLDERS[one.kind]}/{one.entity_id}.json"
        # Twice: the credentials of a role may have to be fetched before.
        async with asyncio.timeout(2 * _TIMEOUT):
            if document is None:
                await obstore.delete_async(self._bucket, path)
            else:
                body = document.__pydantic_serializer__.to_json(document)
                await obstore.put_async(self._bucket, path, body, use_multipart=False)

    async def list_ids(self, kind: str) -> AsyncIterator[list[UUID]]:
        """The ids of the objects in a kind's folder, in pages; other objects are passed over."""
        pages = obstore.list(self._bucket, f"{FOLDERS[kind]}/", chunk_size=_LISTED_AT_ONCE)
        try:
            async for page in pages:
                yield [entity_id for meta in page if (entity_id := _id_of(meta["path"]))]
        except (BaseError, FileNotFoundError) as error:
            reason = str(error).partition("\n")[0]
            raise Unavailable(f"Cannot use the bucket: {reason}") from error


def _id_of(path: str) -> UUID | None:
    name = path.rpartition("/")[2].removesuffix(".json")
    with suppress(ValueError):
        if path.endswith(f"/{UUID(name)}.json"):
            return UUID(name)
    return None
