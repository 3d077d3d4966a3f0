from uuid import UUID

import pytest

from tests.conftest import MISSING_ID
from tests.doors.contacts.conftest import Ask
from tests.support.contacts import CALL, USER, assert_refused


async def test_a_user_is_created_shown_and_listed_in_one_shape(ask: Ask) -> None:
    answer = await ask("POST", "/users", USER)
    assert answer.status_code == 201
    user = answer.json()
    assert list(user) == ["id", *USER, "created_at", "updated_at"]
    assert {name: user[name] for name in USER} == USER
    assert UUID(user["id"]).version == 7
    assert user["created_at"] == user["updated_at"]
    assert user["created_at"].endswith("Z")
    assert (await ask("GET", f"/users/{user['id']}")).json() == user
    assert (await ask("GET", f"/users/{user['id'].upper()}")).json() == user
    listed = await ask("GET", "/users")
    assert (listed.status_code, listed.json()) == (200, [user])


async def test_a_user_is_a_client_without_notes_unless_told_otherwise(ask: Ask) -> None:
    user = {name: USER[name] for name in ("name", "email", "company")}
    created = (await ask("POST", "/users", user)).json()
    assert (created["user_type"], created["notes"]) == ("client", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", None),
        ("name", "a\x00b"),
        ("email", "nobody"),
        ("email", "a@b@c.com"),
        ("email", "a" * 250 + "@example.com"),
        ("email", 7),
        ("company", ""),
        ("company", "x" * 101),
        ("user_type", "friend"),
        ("user_type", None),
        ("notes", "x" * 501),
    ],
)
async def test_wrong_field_of_a_user_is_422_and_named(ask: Ask, field: str, value: object) -> None:
    answer = await ask("POST", "/users", {**USER, field: value})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize("field", ["name", "email", "company"])
async def test_missing_field_of_a_user_is_422(ask: Ask, field: str) -> None:
    user = {name: value for name, value in USER.items() if name != field}
    answer = await ask("POST", "/users", user)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "missing"


async def test_wrong_email_is_answered_as_the_document_prints(ask: Ask) -> None:
    answer = await ask("POST", "/users", {**USER, "email": "s3cr3t"})
    error = {"msg": "value is not a valid email address", "type": "value_error.email"}
    message = "email: value is not a valid email address"
    assert answer.json() == {"detail": [{"loc": ["body", "email"], **error}], "message": message}


@pytest.mark.parametrize(("field", "longest"), [("name", 100), ("company", 100), ("notes", 500)])
async def test_longest_texts_are_kept_whole(ask: Ask, field: str, longest: int) -> None:
    text = "猫" * longest
    assert (await ask("POST", "/users", {**USER, field: text})).json()[field] == text


@pytest.mark.parametrize("stranger", [str(MISSING_ID), "abc-123", "user_123", "{USER_ID}"])
async def test_what_names_no_user_is_not_found(ask: Ask, stranger: str) -> None:
    message = f"User {stranger} not found"
    assert_refused(await ask("GET", f"/users/{stranger}"), 404, message)
    assert_refused(await ask("POST", "/calls", {**CALL, "user_id": stranger}), 404, message)
    task = {"title": "Follow up", "user_id": stranger}
    assert_refused(await ask("POST", "/tasks", task), 404, message)
