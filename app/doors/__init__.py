"""The doors: each one client dialect over the same actions, opened by configuration.

A door stands here once. Dispatch, error shapes, CORS, `GET /`, the development values, the README's
table and the document's tags and examples of refusals derive from it. Its routers, and what they
bring along, are loaded only where it is open.
"""

from collections.abc import Iterable

from fastapi import APIRouter

from app.config import DEVELOPMENT_ADMIN_KEY, Settings
from app.doors import encrypted, pasted, shapes
from app.doors.door import Door
from app.errors import (
    BearerUnauthorized,
    Forbidden,
    Foreign,
    InvalidSession,
    NotFound,
    Revoked,
    Unauthorized,
)
from app.http.answers import ErrorShape, sentence_and_errors
from app.http.cors import CrossOrigin
from app.state import Resources

__all__ = ["DOORS", "Door", "development_values", "open_doors"]


def open_doors(settings: Settings) -> list[Door]:
    """The doors that these settings open."""
    return [door for door in DOORS if door.is_open(settings)]


def development_values() -> dict[str, str]:
    """The settings that open every door, with values that the whole world knows."""
    return {name: value for door in DOORS for name, value in door.development.items()}


def _platform() -> Iterable[APIRouter]:
    from app.commands import router as execute  # noqa: PLC0415
    from app.doors.platform import actions, health, mood, stats, whoami  # noqa: PLC0415

    return (
        *(execute.router, stats.router, mood.router, actions.router),
        *(whoami.router, health.router),
    )


def _admin() -> Iterable[APIRouter]:
    from app.doors.admin import audit, keys, metrics, revocations, status, users  # noqa: PLC0415

    return [each.router for each in (keys, revocations, audit, users, status, metrics)]


def _console() -> Iterable[APIRouter]:
    from app.doors.admin.console import pages  # noqa: PLC0415

    return (pages.router,)


def _webhooks() -> Iterable[APIRouter]:
    from app.doors.admin import webhooks  # noqa: PLC0415

    return (webhooks.router,)


def _sessions() -> Iterable[APIRouter]:
    from app.doors.sessions import tasks  # noqa: PLC0415

    return (tasks.router,)


def _equip_sessions(resources: Resources, settings: Settings) -> None:
    from app.auth.sessions import Sessions  # noqa: PLC0415

    sessions = Sessions(resources, settings)
    resources.add(sessions, open=sessions.open)


def _user_api_keys() -> Iterable[APIRouter]:
    from app.doors.sessions import user_api_keys  # noqa: PLC0415

    return (user_api_keys.router,)


def _accounts() -> Iterable[APIRouter]:
    from app.doors.accounts import categories, login, tasks  # noqa: PLC0415

    return login.router, tasks.router, categories.router


def _equip_accounts(resources: Resources, settings: Settings) -> None:
    from app.auth.passwords import Passwords  # noqa: PLC0415
    from app.auth.people import AccountHolders  # noqa: PLC0415
    from app.doors.accounts.mail import Mailer  # noqa: PLC0415

    mailer = Mailer(settings)
    resources.add(Passwords())
    resources.add(AccountHolders(resources))
    resources.add(mailer, close=mailer.close)


def _user_tasks() -> Iterable[APIRouter]:
    from app.doors import user_tasks  # noqa: PLC0415

    return (user_tasks.router,)


def _equip_user_tasks(resources: Resources, settings: Settings) -> None:
    from app.auth.user_tokens import UserTokens  # noqa: PLC0415

    tokens = UserTokens(settings)
    resources.add(tokens, close=tokens.close)


def _contacts() -> Iterable[APIRouter]:
    from app.doors import contacts  # noqa: PLC0415

    return (contacts.router,)


def _agents() -> Iterable[APIRouter]:
    from app.doors.agents import messages  # noqa: PLC0415

    return (messages.router,)


_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
_SERVICE_TOKEN = "your-service-auth-token-change-this"  # noqa: S105 - known to the whole world
_ENCRYPTION_KEY = "dev-encryption-key-replace-in-production-00="
_PARTNER_KEY = "demo-secret-key-change-in-production"
_SESSION = "`Authorization: Bearer` with a session token, or `X-Service-Auth` and `X-User-ID`"

DOORS = (
    Door(
        name="commands",
        paths=("/", "/execute", "/stats", "/mood", "/mood.svg", "/actions", "/whoami", "/health"),
        routers=_platform,
        credential="`X-Service-Key`",
        tags={
            "commands": "One way to do everything: a service performs actions for its users.",
            "stats": "A user's figures, bare.",
            "mood": "Why Whiskers looks as he does, as figures and as a picture.",
            "catalogue": "What the asking key may do, with schemas, made for programs.",
            "health": "Who this service is and how it is. No credential.",
        },
        refusals={
            401: Unauthorized("Invalid or expired service key"),
            403: Forbidden("Missing scope: tasks:write"),
        },
        pasted=pasted.service_key,
    ),
    Door(
        name="admin",
        paths=("/admin", "/metrics"),
        routers=_admin,
        credential="`X-Admin-Key`",
        tags={"admin": "Administrators mint, rotate and revoke service keys, and read figures."},
        refusals={401: Unauthorized("Invalid admin key")},
        pasted=pasted.known_secret("AdminKey", "admin_api_key", DEVELOPMENT_ADMIN_KEY),
    ),
    Door(
        name="webhooks",
        paths=("/admin/webhooks",),
        routers=_webhooks,
        credential="`X-Admin-Key`",
        opened_by="`ENCRYPTION_KEY`",
        is_open=lambda settings: settings.opens_webhooks,
        equip=encrypted.equip_webhooks,
        development={"ENCRYPTION_KEY": _ENCRYPTION_KEY},
        tags={"webhooks": "Where events are sent to, signed, as they happen."},
        refusals={401: Unauthorized("Invalid admin key"), 404: NotFound("Webhook not found")},
    ),
    Door(
        name="console",
        paths=("/admin/console",),
        routers=_console,
        credential="none for the page, which asks for the `X-Admin-Key`",
        opened_by="`CONSOLE_ENABLED`, by itself except in production",
        is_open=lambda settings: settings.serves_console,
    ),
    Door(
        name="sessions",
        paths=("/api/tasks",),
        routers=_sessions,
        credential=_SESSION,
        opened_by="`SESSION_HASH_SECRET`, `SESSION_TABLE` or `SERVICE_AUTH_TOKEN`",
        is_open=lambda settings: settings.opens_sessions,
        shape=ErrorShape(
            shapes.detail,
            absent="Task not found or you don't have permission to access it",
            mistakes=sentence_and_errors,
        ),
        equip=_equip_sessions,
        cors=CrossOrigin.WEB_CLIENTS,
        development={
            "SESSION_HASH_SECRET": "your-secret-key-change-this-in-production",
            "SERVICE_AUTH_TOKEN": _SERVICE_TOKEN,
        },
        tags={"sessions": "Tasks of people whose sessions an auth server keeps."},
        refusals={401: InvalidSession("Not authenticated"), 403: Revoked()},
        pasted=pasted.known_secret("ServiceAuth", "service_auth_token", _SERVICE_TOKEN),
    ),
    Door(
        name="user-api-keys",
        paths=("/api/user-api-keys",),
        routers=_user_api_keys,
        credential=_SESSION,
        opened_by="the same and `ENCRYPTION_KEY`",
        is_open=lambda settings: settings.opens_user_api_keys,
        shape=ErrorShape(shapes.detail, mistakes=sentence_and_errors),
        equip=encrypted.equip_user_api_keys,
        cors=CrossOrigin.WEB_CLIENTS,
        development={"ENCRYPTION_KEY": _ENCRYPTION_KEY},
        tags={"user API keys": "API keys that the same people leave for services."},
        refusals={
            401: InvalidSession("Not authenticated"),
            403: Revoked(),
            404: NotFound("No API key is stored"),
        },
    ),
    Door(
        name="accounts",
        paths=("/api/v1",),
        routers=_accounts,
        credential="`Authorization: Bearer`, a JWT of its own",
        opened_by="`JWT_SECRET`",
        is_open=lambda settings: settings.jwt_secret is not None,
        shape=ErrorShape(shapes.detail, 400, "You don't have permission to access this"),
        equip=_equip_accounts,
        cors=CrossOrigin.WEB_CLIENTS,
        development={"JWT_SECRET": "dev-jwt-secret-replace-in-production"},
        tags={
            "accounts": "People register here, verify their address and log in.",
            "account tasks": "The tasks of an account, page by page, with their versions.",
            "categories": "The categories of an account, and of its tasks.",
        },
        refusals={
            401: BearerUnauthorized(),
            403: Foreign(),
            404: NotFound(f"Task not found: {_EXAMPLE_ID}"),
        },
    ),
    Door(
        name="user-tasks",
        paths=("/api",),
        routers=_user_tasks,
        credential="`Authorization: Bearer`, a JWT of Better Auth",
        opened_by="`BETTER_AUTH_URL` or `BETTER_AUTH_SECRET`",
        is_open=lambda settings: settings.opens_user_tasks,
        shape=ErrorShape(shapes.user_task, 400, "The task is another user's"),
        equip=_equip_user_tasks,
        cors=CrossOrigin.WEB_CLIENTS,
        development={
            "BETTER_AUTH_SECRET": pasted.BETTER_AUTH_SECRET,
        },
        tags={"user tasks": "Tasks of people whom Better Auth signs in."},
        refusals={
            401: BearerUnauthorized(),
            403: Forbidden("The token is another user's"),
            404: NotFound(f"Task not found: {_EXAMPLE_ID}"),
        },
        pasted=pasted.user_token,
    ),
    Door(
        name="contacts",
        paths=("/users", "/calls", "/tasks"),
        routers=_contacts,
        credential="`X-API-Key`",
        opened_by="`TASK_API_KEY`",
        is_open=lambda settings: settings.task_api_key is not None,
        shape=ErrorShape(shapes.contact, mistakes=shapes.contact_mistakes),
        development={"TASK_API_KEY": _PARTNER_KEY},
        tags={"contacts": "Users whom a partner calls and does tasks for."},
        refusals={
            401: Unauthorized("Missing API key"),
            403: Forbidden("Invalid API key"),
            404: NotFound(f"Task {_EXAMPLE_ID} not found"),
        },
        pasted=pasted.known_secret("PartnerKey", "task_api_key", _PARTNER_KEY),
    ),
    Door(
        name="agents",
        paths=("/mcp",),
        routers=_agents,
        credential="`X-Service-Key`, or the same as `Authorization: Bearer`",
        opened_by="`MCP_ENABLED`; in development unless it is false",
        is_open=lambda settings: settings.opens_agents,
        shape=shapes.MESSAGE,
        cors=CrossOrigin.AGENTS,
    ),
)
