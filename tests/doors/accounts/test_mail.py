"""Mail, delivered to a real SMTP server of the test's own."""

import asyncio
import email
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from email.policy import default
from pathlib import Path
from secrets import token_hex
from string import ascii_letters, digits
from time import monotonic
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import AuthResult
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.config import Settings
from app.doors.accounts import mail
from app.doors.accounts.mail import Mailer
from app.models.email import Mailbox
from tests.support.inbox import Inbox, serving, silent_server
from tests.support.log_lines import Lines, lines_of
from tests.support.service import free_port

ADDRESS = "whiskers@example.com"
TOKEN = "t0ken-of-the-test"
LINK = f"https://tasks.example.com/api/v1/auth/verify?token={TOKEN}"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def port(inbox: Inbox) -> Iterator[int]:
    """A mail server that takes everything."""
    with serving(inbox) as port:
        yield port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; its key lies beside it."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("NO OPENSSL FOUND: install it to run the tests of mail over TLS")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", file.with_suffix(".key"), "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """How a server encrypts with the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is one that clients trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What mail logs."""
    return lines_of(mail, monkeypatch)


def mailer(**changed: Any) -> Mailer:
    values = {
        "database_url": "postgresql://u:p@h/d",
        "smtp_host": "localhost",
        "smtp_security": "none",
        "public_url": "https://tasks.example.com",
        "mail_from": "tasks@example.com",
    }
    return Mailer(Settings(**{**values, **changed}))


async def test_verification_mail_has_the_link_and_names_nobody_else(
    port: int, inbox: Inbox
) -> None:
    sender = mailer(smtp_port=port)
    sender.send_verification(ADDRESS, TOKEN)
    await sender.close()
    [message] = inbox.messages
    assert (message["From"], message["To"]) == ("tasks@example.com", ADDRESS)
    assert message["Subject"] == "Confirm your address"
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Date"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert LINK in message.get_content().splitlines()
    [envelope] = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("tasks@example.com", [ADDRESS])


async def test_logs_in_once_the_connection_is_encrypted(
    inbox: Inbox, tls: ssl.SSLContext, trusted: None
) -> None:
    offered: list[Any] = []

    def authenticate(*arguments: Any) -> AuthResult:
        offered.append(arguments[-1])
        return AuthResult(success=True)

    with serving(inbox, tls_context=tls, auth_required=True, authenticator=authenticate) as port:
        sender = mailer(
            smtp_port=port,
            smtp_security="starttls",
            smtp_username="cat",
            smtp_password="pa55word",
        )
        sender.send_verification(ADDRESS, TOKEN)
        await sender.close()
    assert [(one.login, one.password) for one in offered] == [(b"cat", b"pa55word")]
    assert len(inbox.envelopes) == 1


async def test_speaks_tls_from_the_start_where_configured(
    inbox: Inbox, tls: ssl.SSLContext, trusted: None
) -> None:
    with serving(inbox, ssl_context=tls) as port:
        sender = mailer(smtp_port=port, smtp_security="tls")
        sender.send_verification(ADDRESS, TOKEN)
        await sender.close()
    assert len(inbox.envelopes) == 1


async def test_certificate_that_nobody_vouches_for_is_not_trusted(
    inbox: Inbox, tls: ssl.SSLContext, lines: Lines
) -> None:
    with serving(inbox, tls_context=tls) as port:
        sender = mailer(smtp_port=port, smtp_security="starttls")
        sender.send_verification(ADDRESS, TOKEN)
        await sender.close()
    assert inbox.envelopes == []
    assert [line["event"] for line in lines] == ["mail_not_sent"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_nothing_is_sent_in_plain_text_unless_asked_for(
    port: int, inbox: Inbox, lines: Lines, security: str
) -> None:
    sender = mailer(smtp_port=port, smtp_security=security)
    sender.send_verification(ADDRESS, TOKEN)
    await asyncio.sleep(0.2)
    await sender.close()
    assert inbox.envelopes == []
    assert [line["event"] for line in lines] == ["mail_not_sent"]


async def test_dead_server_is_logged_without_the_address_or_the_token(lines: Lines) -> None:
    sender = mailer(smtp_port=free_port())
    sender.send_verification(ADDRESS, TOKEN)
    await sender.close()
    [line] = lines
    assert (line["event"], line["reason"]) == ("mail_not_sent", "SMTPConnectError")
    assert not [secret for secret in (ADDRESS, TOKEN) if secret in str(line)]


async def test_slow_server_is_given_up(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    monkeypatch.setattr(mail, "_SECONDS", 0.1)
    async with silent_server() as port:
        sender = mailer(smtp_port=port)
        sender.send_verification(ADDRESS, TOKEN)
        await sender.close()
    assert [line["reason"] for line in lines] == ["TimeoutError"]


async def test_shutdown_does_not_wait_for_a_slow_server_for_long(
    monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setattr(mail, "_LAST_SECONDS", 0.1)
    async with silent_server() as port:
        sender = mailer(smtp_port=port)
        for _ in range(6):
            sender.send_verification(ADDRESS, TOKEN)
        started = monotonic()
        await sender.close()
        assert monotonic() - started < 1
    assert lines == [
        {"event": "mail_not_sent", "log_level": "warning", "reason": "shutdown", "count": 6}
    ]


async def test_shutdown_does_not_wait_for_who_swallows_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def send(*_: object, **__: object) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        await asyncio.sleep(30)

    monkeypatch.setattr(mail, "_LAST_SECONDS", 0.1)
    monkeypatch.setattr(aiosmtplib, "send", send)
    sender = mailer(smtp_port=1)
    sender.send_verification(ADDRESS, TOKEN)
    async with asyncio.timeout(5):
        await sender.close()


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    monkeypatch.setattr(mail, "_MOST_WAITING", 3)
    monkeypatch.setattr(mail, "_LAST_SECONDS", 0.1)
    async with silent_server() as port:
        sender = mailer(smtp_port=port)
        for _ in range(5):
            sender.send_verification(ADDRESS, TOKEN)
        await sender.close()
    assert [line["reason"] for line in lines] == ["too much is waiting"] * 2 + ["shutdown"]


async def test_hundred_mails_all_arrive(port: int, inbox: Inbox) -> None:
    sender = mailer(smtp_port=port)
    for number in range(100):
        sender.send_verification(f"cat{number}@example.com", TOKEN)
    async with asyncio.timeout(60):
        while len(inbox.envelopes) < 100:
            await asyncio.sleep(0.05)
    await sender.close()
    assert len({envelope.rcpt_tos[0] for envelope in inbox.envelopes}) == 100


def test_without_a_server_the_link_is_logged_in_development(lines: Lines) -> None:
    mailer(smtp_host=None).send_verification(ADDRESS, TOKEN)
    assert [line.get("link") for line in lines] == [LINK]


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_without_a_server_the_link_is_never_logged_elsewhere(
    environment: str, lines: Lines
) -> None:
    sender = mailer(
        smtp_host=None,
        environment=environment,
        admin_api_key=token_hex(16),
        api_key_secret=token_hex(16),
    )
    sender.send_verification(ADDRESS, TOKEN)
    [line] = lines
    assert (line["event"], line["reason"]) == ("mail_not_sent", "SMTP_HOST is not set")
    assert not [secret for secret in (ADDRESS, TOKEN) if secret in str(line)]


ADDRESSES = TypeAdapter(Mailbox)
atoms = st.text(f"{ascii_letters}{digits}!#$%&'*+/=?^_`{{|}}~-", min_size=1, max_size=20)
labels = st.from_regex("[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(
    local=st.lists(atoms, min_size=1, max_size=3).map(".".join),
    domain=st.lists(labels, min_size=2, max_size=4).map(".".join),
)
@settings(deadline=None)
def test_no_valid_address_makes_a_second_recipient_or_header(local: str, domain: str) -> None:
    address = ADDRESSES.validate_python(f"{local}@{domain}")
    message = mailer()._message(address, "Subject", "Text")
    parsed = email.message_from_bytes(message.as_bytes(), policy=default)
    assert parsed.keys() == message.keys()
    assert [one.addr_spec for one in parsed["To"].addresses] == [address]


@pytest.mark.parametrize(
    "address",
    [
        *("a@example.com\r\nBcc: b@example.com", "a@example.com\n", "a@example.com, b@example.com"),
        *("<a@example.com>", "A <a@example.com>", '"a b"@example.com', "a@example.com b", "a"),
        *(
            "a@",
            "@example.com",
            "a@@example.com",
            "a@localhost",
            "a@-example.com",
            "a@exa mple.com",
        ),
        *("a@example..com", "a@[127.0.0.1]", "ä@example.com", "a@exämple.com", "a\x00@example.com"),
        *("a@example.com\ud800", "a" * 65 + "@example.com", "a@" + "b." * 130 + "com", ""),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address|254 characters|valid string"):
        ADDRESSES.validate_python(address)
