"""Mail: sent in the background, so that no request waits for a mail server or fails with it."""

import asyncio
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from app.config import Settings
from app.logs import logger

_AT_ONCE = 4
_MOST_WAITING = 1000
_SECONDS = 15.0
_LAST_SECONDS = 5.0

_VERIFICATION = """\
Welcome to Task Manager.

Please confirm that this address is yours, within a day:

{link}

If it was not you who registered, do nothing.
"""


class Mailer:
    """Sends mail through the configured server. What cannot be sent is logged and given up."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()

    def send_verification(self, address: str, token: str) -> None:
        """Sends the link that verifies the address; in development without a server, logs it."""
        link = f"{self._settings.public_url}/api/v1/auth/verify?token={token}"
        if self._settings.smtp_host is not None:
            self._send_later(address, "Confirm your address", _VERIFICATION.format(link=link))
        elif self._settings.environment == "development":
            logger.info("verification_link", link=link)
        else:
            logger.warning("mail_not_sent", reason="SMTP_HOST is not set")

    async def close(self) -> None:
        """Lets the mail on its way leave, but not for long."""
        if not self._sending:
            return
        _, late = await asyncio.wait(self._sending, timeout=_LAST_SECONDS)
        if late:
            logger.warning("mail_not_sent", reason="shutdown", count=len(late))
        while late:  # again, as `wait_for` may swallow a cancellation before Python 3.12
            for task in late:
                task.cancel()
            _, late = await asyncio.wait(late, timeout=0.1)

    def _send_later(self, address: str, subject: str, text: str) -> None:
        if len(self._sending) >= _MOST_WAITING:
            logger.warning("mail_not_sent", reason="too much is waiting")
            return
        task = asyncio.create_task(self._send(self._message(address, subject, text)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _message(self, address: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = address
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message

    async def _send(self, message: EmailMessage) -> None:
        try:
            async with self._turns, asyncio.timeout(_SECONDS):
                await self._deliver(message)
        except Exception as error:  # nobody waits for it; the log is all who can be told
            logger.warning("mail_not_sent", reason=type(error).__name__)

    async def _deliver(self, message: EmailMessage) -> None:
        settings = self._settings
        password = settings.smtp_password
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            local_hostname=self._domain,
        )

    @property
    def _domain(self) -> str:
        return self._settings.mail_from.rpartition("@")[2]
