"""A small service schema, for tests of what all services share."""

from collections.abc import Sequence

from sqlalchemy import Column, ForeignKey, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import lease_columns
from libs.db.support import SupportTables
from libs.db.uow import Transaction

METADATA = MetaData(schema="notes")
SUPPORT = SupportTables.of(METADATA)
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("parent", Text, ForeignKey("notes.notes.id", name="notes_parent_fkey")),
    *lease_columns(),
)


class NoteRepository:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, id: str, text: str = "", parent: str | None = None) -> None:
        await self._connection.execute(NOTES.insert().values(id=id, text=text, parent=parent))

    async def ids(self) -> Sequence[str]:
        return (await self._connection.execute(NOTES.select().order_by(NOTES.c.id))).scalars().all()


class NotesTransaction(Transaction):
    notes: NoteRepository

    def bind(self, connection: AsyncConnection) -> None:
        self.notes = NoteRepository(connection)
