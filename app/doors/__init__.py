"""The doors: their routers and what these need, loaded only where a door is open.

Each brings libraries along; a worker with the commands door alone does without 13 MB of them.
"""

from collections.abc import Callable
from importlib import import_module

from fastapi import FastAPI

from app.config import Settings

_ROUTERS = {
    "commands": ("stats", "actions", "admin", "health", "metrics"),
    "sessions": ("sessions",),
    "user-api-keys": ("user_api_keys",),
    "accounts": ("accounts", "account_tasks", "account_categories"),
    "user-tasks": ("user_tasks",),
    "contacts": ("contacts",),
}


def open_doors(app: FastAPI, settings: Settings) -> None:
    """Includes the routers of the doors that the settings open."""
    if settings.limits_requests:
        _equip_limits(app, settings)
    for door in settings.doors:
        if equip := _EQUIPMENT.get(door):
            equip(app, settings)
        for module in _ROUTERS[door]:
            app.include_router(import_module(f"app.routers.{module}").router)


def _equip_limits(app: FastAPI, settings: Settings) -> None:
    from app.http.rate_limiter import RateLimiter, execute_limit  # noqa: PLC0415

    app.state.limiter = RateLimiter(settings)
    app.state.execute_limit = execute_limit(settings)
    app.state.closing.append(app.state.limiter.close)


def _equip_user_api_keys(app: FastAPI, settings: Settings) -> None:
    from app.database.encryption import Cipher  # noqa: PLC0415
    from app.doors.sessions.providers import Gemini  # noqa: PLC0415

    assert settings.encryption_key is not None, "the door is closed"  # noqa: S101
    app.state.cipher = Cipher(settings.encryption_key.get_secret_value())
    app.state.checks = {"gemini": Gemini(str(settings.gemini_base_url)).check}


def _equip_accounts(app: FastAPI, settings: Settings) -> None:
    from app.auth.passwords import Passwords  # noqa: PLC0415
    from app.auth.people import account_holders  # noqa: PLC0415
    from app.doors.accounts.mail import Mailer  # noqa: PLC0415

    app.state.passwords, app.state.mailer = Passwords(), Mailer(settings)
    app.state.account_holders = account_holders(app.state)
    app.state.closing.append(app.state.mailer.close)


_EQUIPMENT: dict[str, Callable[[FastAPI, Settings], None]] = {
    "user-api-keys": _equip_user_api_keys,
    "accounts": _equip_accounts,
}
