"""The whole bucket anew, while the service goes on writing."""

from app.database import Database
from app.models.page import ALL, Page
from app.services import deliveries, mirror
from app.worker.mirror import FOLDERS, Mirror


async def request_rebuild(sink: Mirror, database: Database) -> int:
    """Has every entity delivered again, and every object that shows none; returns how many.

    Consumers do the rest, this process's or others', each entity in its turn with its changes.
    """
    for kind in FOLDERS:
        await _request_strays(sink, database, kind)
        await _request_all(sink, database, kind)
    async with database.connection() as db:
        return await deliveries.count_repeated(db, sink.name)


async def _request_strays(sink: Mirror, database: Database, kind: str) -> None:
    async for entity_ids in sink.list_ids(kind):
        async with database.connection() as db:
            known = await mirror.find_documents(db, {kind: entity_ids})
            strays = [entity_id for entity_id in entity_ids if entity_id not in known]
            await deliveries.repeat(db, sink.name, kind, strays)


async def _request_all(sink: Mirror, database: Database, kind: str) -> None:
    page: Page | None = Page.model_construct(limit=ALL)
    while page is not None:
        async with database.connection() as db:
            part = await mirror.list_documents(db, kind, page)
            await deliveries.repeat(db, sink.name, kind, [entry.id for entry in part.entries])
        page = part.rest
