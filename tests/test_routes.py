"""What a door that answers in sentences says of a request that is wrong."""

import pytest
from httpx import AsyncClient


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not valid JSON: Expecting value"),
        (b"\xff", "The body is not valid UTF-8"),
        (b"[]", "Input should be a valid dictionary or object to extract fields from"),
        (b'{"email": 5}', "email: Input should be a valid string; password: Field required"),
    ],
)
async def test_sentence_names_the_fields_where_it_is_about_fields(
    client: AsyncClient, body: bytes, sentence: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/auth/login", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})
