import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from app.errors import AlreadyAssigned, AppError, Foreign, NotFound, Taken
from app.models.category import Category, CategoryFields
from app.models.task import Task, TaskFields
from app.services import Connection, categories, deletions, tasks
from app.services.changes import fetch_progress
from tests.conftest import MISSING_ID, TaskFactory

USER, ANOTHER = "user_123", "another"
Change = Callable[[Connection, UUID, UUID, str | None], Awaitable[object]]
each_change = pytest.mark.parametrize(
    "change",
    [categories.assign_category, categories.unassign_category],
    ids=["assign", "unassign"],
)


async def make(db: Connection, name: str = "Litter", user_id: str = USER) -> Category:
    return await categories.insert_category(db, user_id, CategoryFields(name=name))


async def names_of(db: Connection, task: Task) -> list[str]:
    return [
        label.name
        for label in (await categories.fetch_labels(db, task.user_id, [task.id]))[task.id]
    ]


async def assign(db: Connection, task: Task, category: Category) -> None:
    async with db.transaction():
        await categories.assign_category(db, task.id, category.id, USER)


async def refused(
    change: Change, db: Connection, task_id: UUID, category_id: UUID, owner: str | None
) -> tuple[type[AppError], str]:
    with pytest.raises(AppError) as error:
        async with db.transaction():
            await change(db, task_id, category_id, owner)
    return type(error.value), error.value.message


async def test_color_is_indigo_unless_given(db: Connection) -> None:
    assert (await make(db)).color == "#6366F1"
    given = CategoryFields(name="Food", color="#00ff0A")
    assert (await categories.insert_category(db, USER, given)).color == "#00ff0A"


async def test_name_is_unique_among_the_categories_of_a_user(db: Connection) -> None:
    await make(db)
    with pytest.raises(Taken, match=r"^Category name already exists$"):
        async with db.transaction():
            await make(db)
    await make(db, user_id=ANOTHER)


async def test_categories_of_a_user_are_listed_by_name(db: Connection) -> None:
    for name in ("Vet", "Food", "Litter"):
        await make(db, name)
    await make(db, "Another's", ANOTHER)
    listed = await categories.list_categories(db, USER)
    assert [category.name for category in listed] == ["Food", "Litter", "Vet"]
    assert await categories.list_categories(db, "nobody") == []


async def test_deleting_unassigns(db: Connection, make_task: TaskFactory) -> None:
    task, category = await make_task(), await make(db)
    await categories.assign_category(db, task.id, category.id, USER)
    await categories.delete_category(db, category.id, USER)
    assert await names_of(db, task) == []
    with pytest.raises(NotFound, match=f"^Category not found: {category.id}$"):
        await categories.delete_category(db, category.id, USER)


async def test_deleting_is_a_change_of_each_task_that_was_in_it(
    db: Connection, make_task: TaskFactory
) -> None:
    category, first, second, other = await make(db), *[await make_task() for _ in range(3)]
    withdrawn = await make_task()
    for task in (first, second, withdrawn):
        await categories.assign_category(db, task.id, category.id, USER)
    await deletions.withdraw_task(db, withdrawn.id, USER)
    before = await fetch_progress(db, USER)
    last = await db.fetchval("SELECT max(sequence) FROM changes WHERE user_id = $1", USER)
    await categories.delete_category(db, category.id, USER)
    versions = [
        (await tasks.fetch_task(db, task.id, USER)).version for task in (first, second, other)
    ]
    assert versions == [3, 3, 1]
    written = await db.fetch(
        "SELECT entity_id, operation, fields, sequence FROM changes "
        "WHERE user_id = $1 AND sequence > $2 ORDER BY sequence",
        USER,
        last,
    )
    assert {row["entity_id"] for row in written} == {first.id, second.id}
    assert [row["sequence"] for row in written] == [last + 1, last + 2]
    assert {(row["operation"], *row["fields"]) for row in written} == {("updated", "categories")}
    assert (await fetch_progress(db, USER)).changes == before.changes + 2


async def test_categories_are_in_the_order_of_a_dictionary(db: Connection) -> None:
    for name in ("Zoo", "Äpfel", "apfelmus", "Éclair", "Яма", "Ёлка"):
        await make(db, name)
    listed = await categories.list_categories(db, USER)
    names = ["Äpfel", "apfelmus", "Éclair", "Zoo", "Ёлка", "Яма"]
    assert [category.name for category in listed] == names


async def test_foreign_category_is_deleted_by_the_trusted_only(db: Connection) -> None:
    category = await make(db, user_id=ANOTHER)
    with pytest.raises(Foreign, match=f"^Category not found: {category.id}$"):
        await categories.delete_category(db, category.id, USER)
    await categories.delete_category(db, category.id, None)


async def test_assigned_categories_are_shown_by_name(
    db: Connection, make_task: TaskFactory
) -> None:
    task, other_task = await make_task(), await make_task()
    for name in ("Vet", "Food"):
        shown = await categories.assign_category(db, task.id, (await make(db, name)).id, USER)
    assert [label.name for label in shown.categories] == ["Food", "Vet"]
    assert await names_of(db, other_task) == []
    labels = await categories.fetch_labels(db, USER, [other_task.id, task.id])
    assert [len(labels[one.id]) for one in (other_task, task)] == [0, 2]


@each_change
async def test_change_is_a_write_of_the_task(
    db: Connection, make_task: TaskFactory, change: Change
) -> None:
    task, category = await make_task(), await make(db)
    if change is categories.unassign_category:
        await categories.assign_category(db, task.id, category.id, USER)
    before = await tasks.fetch_task(db, task.id, USER)
    await db.execute("UPDATE tasks SET updated_at = '2020-01-01'")
    shown = await change(db, task.id, category.id, USER)
    after = await tasks.fetch_task(db, task.id, USER)
    assert after.version == before.version + 1
    assert after.updated_at.year > 2020
    assert isinstance(shown, Task)
    assert (shown.version, shown.updated_at) == (after.version, after.updated_at)
    change_row = await db.fetchrow("""
        SELECT kind, operation, user_id, entity_id, sequence, fields FROM changes
        ORDER BY position DESC LIMIT 1
    """)
    assert change_row is not None
    assert tuple(change_row) == ("task", "updated", USER, task.id, after.version, ["categories"])


async def test_assigning_twice_is_refused_and_writes_nothing(
    db: Connection, make_task: TaskFactory
) -> None:
    task, category = await make_task(), await make(db)
    await categories.assign_category(db, task.id, category.id, USER)
    kind, _ = await refused(categories.assign_category, db, task.id, category.id, USER)
    assert (kind, kind.status) == (AlreadyAssigned, 400)
    assert (await tasks.fetch_task(db, task.id, USER)).version == 2


async def test_removing_what_is_not_assigned_is_not_found(
    db: Connection, make_task: TaskFactory
) -> None:
    task, category = await make_task(), await make(db)
    refusal = await refused(categories.unassign_category, db, task.id, category.id, USER)
    assert refusal == (NotFound, "The task does not have this category")
    assert (await tasks.fetch_task(db, task.id, USER)).version == 1


@each_change
@pytest.mark.parametrize("owner", [USER, None])
async def test_missing_task_or_category_is_named(
    db: Connection, make_task: TaskFactory, change: Change, owner: str | None
) -> None:
    task, category = await make_task(), await make(db)
    for task_id, category_id, sentence in (
        (MISSING_ID, category.id, f"Task not found: {MISSING_ID}"),
        (MISSING_ID, MISSING_ID, f"Task not found: {MISSING_ID}"),
        (task.id, MISSING_ID, f"Category not found: {MISSING_ID}"),
    ):
        assert await refused(change, db, task_id, category_id, owner) == (NotFound, sentence)


@each_change
async def test_foreign_task_or_category_reads_like_a_missing_one(
    db: Connection, make_task: TaskFactory, change: Change
) -> None:
    mine, foreign = await make_task(), await make_task(user_id=ANOTHER)
    my_category, foreign_category = await make(db), await make(db, user_id=ANOTHER)
    await categories.assign_category(db, foreign.id, foreign_category.id, ANOTHER)
    for task_id, category_id, sentence in (
        (foreign.id, my_category.id, f"Task not found: {foreign.id}"),
        (foreign.id, foreign_category.id, f"Task not found: {foreign.id}"),
        (mine.id, foreign_category.id, f"Category not found: {foreign_category.id}"),
    ):
        assert await refused(change, db, task_id, category_id, USER) == (Foreign, sentence)
    assert await names_of(db, foreign) == ["Litter"]


@each_change
async def test_trusted_caller_crosses_owners_but_never_mixes_them(
    db: Connection, make_task: TaskFactory, change: Change
) -> None:
    foreign, foreign_category = await make_task(user_id=ANOTHER), await make(db, user_id=ANOTHER)
    mine = await make_task()
    kind, _ = await refused(change, db, mine.id, foreign_category.id, None)
    assert kind is Foreign
    if change is categories.unassign_category:
        await categories.assign_category(db, foreign.id, foreign_category.id, ANOTHER)
    await change(db, foreign.id, foreign_category.id, None)


@each_change
async def test_softly_deleted_task_is_not_found_and_stays_as_it_was(
    db: Connection, make_task: TaskFactory, change: Change
) -> None:
    task, category = await make_task(), await make(db)
    if change is categories.unassign_category:
        await categories.assign_category(db, task.id, category.id, USER)
    names = await names_of(db, task)
    await db.execute("UPDATE tasks SET deleted_at = now() WHERE id = $1", task.id)
    refusal = await refused(change, db, task.id, category.id, USER)
    assert refusal == (NotFound, f"Task not found: {task.id}")
    assert await names_of(db, task) == names


async def test_deleted_task_leaves_its_categories(db: Connection, make_task: TaskFactory) -> None:
    task, category = await make_task(), await make(db)
    await categories.assign_category(db, task.id, category.id, USER)
    await deletions.delete_task(db, task.id, USER)
    assert await db.fetchval("SELECT count(*) FROM task_categories") == 0
    assert len(await categories.list_categories(db, USER)) == 1


async def test_assignments_of_one_task_side_by_side_are_a_version_each(
    crowd: list[Connection],
) -> None:
    task = await tasks.insert_task(crowd[0], USER, TaskFields(title="Feed cat"))
    made = [await make(crowd[0], f"Category {number}") for number in range(len(crowd))]
    await asyncio.gather(
        *(
            assign(connection, task, category)
            for connection, category in zip(crowd, made, strict=True)
        )
    )
    assert (await tasks.fetch_task(crowd[0], task.id, USER)).version == 9
    assert len(await names_of(crowd[0], task)) == 8
    rows = await crowd[0].fetch("SELECT sequence FROM changes ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, 10))


async def test_one_category_assigned_side_by_side_is_assigned_once(
    crowd: list[Connection],
) -> None:
    task = await tasks.insert_task(crowd[0], USER, TaskFields(title="Feed cat"))
    category = await make(crowd[0])
    results = await asyncio.gather(
        *(assign(connection, task, category) for connection in crowd), return_exceptions=True
    )
    refusals = [result for result in results if isinstance(result, AlreadyAssigned)]
    assert (len(refusals), results.count(None)) == (7, 1)
    assert (await tasks.fetch_task(crowd[0], task.id, USER)).version == 2


async def test_labels_of_no_tasks_are_none(db: Connection) -> None:
    assert await categories.fetch_labels(db, USER, []) == {}
    missing = uuid4()
    assert await categories.fetch_labels(db, USER, [missing]) == {missing: []}
