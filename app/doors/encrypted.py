"""What the doors need that keep secrets for others, loaded where they are open."""

from app.config import Settings
from app.state import Resources


def equip_webhooks(resources: Resources, settings: Settings) -> None:
    """Brings what signs and sends webhooks."""
    from app.worker.sender import open_sender  # noqa: PLC0415

    _equip_cipher(resources, settings)
    sender = open_sender(settings)
    resources.add(sender, close=sender.close)


def equip_user_api_keys(resources: Resources, settings: Settings) -> None:
    """Brings what keeps and tries users' API keys."""
    from app.doors.sessions.providers import Gemini  # noqa: PLC0415
    from app.models.secret import Providers  # noqa: PLC0415

    _equip_cipher(resources, settings)
    resources.add(Providers({"gemini": Gemini(str(settings.gemini_base_url)).check}))


def _equip_cipher(resources: Resources, settings: Settings) -> None:
    from app.database.encryption import Cipher  # noqa: PLC0415

    assert settings.encryption_key is not None, "the door is closed"  # noqa: S101
    resources.add(Cipher(settings.encryption_key.get_secret_value()))
