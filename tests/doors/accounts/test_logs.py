"""The log tells who did what at the accounts door, and holds no secret of anybody."""

import json
import re
from typing import Any

import pytest

from app.auth import tokens
from tests.conftest import MISSING_ID
from tests.support.accounts import EMAIL, NEW, PASSWORD
from tests.support.databases import run_statements
from tests.test_logs import PRODUCTION, lines_of

SECRET = "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a"
SMTP_PASSWORD = "pa55word-of-the-relay"
TOKEN = tokens.issue(SECRET, str(MISSING_ID), EMAIL)
REFRESH_TOKEN, VERIFICATION_TOKEN = "4e" * 48, "Verify-me-0123456789"
SECRETS = re.compile(
    "|".join(
        [
            *(PASSWORD, "Salmon-at-8", SECRET, SMTP_PASSWORD, REFRESH_TOKEN, VERIFICATION_TOKEN),
            *("eyJ", r"\$argon2", "[0-9a-f]{96}", re.escape(EMAIL)),
        ]
    )
)


def post(path: str, **body: object) -> dict[str, Any]:
    return {"method": "POST", "url": f"/api/v1/auth/{path}", "json": body}


BEARER = {"Authorization": f"Bearer {TOKEN}", "X-Request-ID": "listed"}
REQUESTS: list[dict[str, Any]] = [
    post("register", **NEW),
    post("register", **NEW),
    post("register", **{**NEW, "password": PASSWORD[:7]}),
    post("login", email=EMAIL, password=PASSWORD),
    *[post("login", email=EMAIL, password="Salmon-at-8")] * 6,
    post("refresh", refresh_token=REFRESH_TOKEN),
    {"method": "GET", "url": f"/api/v1/auth/verify?token={VERIFICATION_TOKEN}"},
    {"method": "GET", "url": "/api/v1/categories", "headers": BEARER},
    {
        "method": "GET",
        "url": "/api/v1/categories",
        "headers": {"Authorization": f"Bearer {TOKEN}x"},
    },
]
STATUSES = [201, 409, 400, 200, *[401] * 5, 423, 401, 400, 200, 401]


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_line_contains_a_password_a_token_or_an_address(database_url: str, level: str) -> None:
    mail_server = {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": "1",
        "SMTP_USERNAME": "cat",
        "SMTP_PASSWORD": SMTP_PASSWORD,
    }
    run_statements(
        database_url,
        "INSERT INTO accounts (id, email, full_name, password_hash) "
        f"VALUES ('{MISSING_ID}', 'listed@example.com', '', '')",
    )
    settings = {**PRODUCTION, **mail_server, "DATABASE_URL": database_url, "LOG_LEVEL": level}
    lines = lines_of(REQUESTS, JWT_SECRET=SECRET, **settings)
    entries = [json.loads(line) for line in lines]
    requests = [entry for entry in entries if entry["event"] == "request"]
    assert [entry["status"] for entry in requests] == STATUSES
    assert not [line for line in lines if SECRETS.search(line)]
    [listed] = [entry for entry in requests if entry["request_id"] == "listed"]
    assert (listed["key_name"], listed["user_id"]) == ("account", str(MISSING_ID))
    assert [entry["reason"] for entry in entries if entry["event"] == "mail_not_sent"] == [
        "SMTPConnectError"
    ]
