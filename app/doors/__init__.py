"""The doors: each one client dialect over the same actions, opened by configuration.

A door stands here once. Dispatch, error shapes, CORS, `GET /`, the development values and the
README's table derive from it. Its routers, and the libraries they bring along, are loaded only
where it is open.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from app.config import Settings
from app.http.answers import ErrorShape
from app.http.cors import CrossOrigin
from app.state import Resources

Equip = Callable[[Resources, Settings], None]


@dataclass(frozen=True, slots=True)
class Door:
    """One client dialect: where it is, who may enter, when it is open, how it words errors.

    `credential` and `opened_by` are for people; `development` has the values with which
    `python -m app dev` opens it. `equip` brings what its routers need besides the database.
    """

    name: str
    paths: tuple[str, ...]
    routers: Callable[[], Iterable[APIRouter]]
    credential: str
    opened_by: str = "always"
    is_open: Callable[[Settings], bool] = lambda _: True
    shape: ErrorShape | None = None
    equip: Equip | None = None
    cors: CrossOrigin = CrossOrigin.COMMANDS
    development: Mapping[str, str] = field(default_factory=dict)


def open_doors(settings: Settings) -> list[Door]:
    """The doors that these settings open."""
    return [door for door in DOORS if door.is_open(settings)]


def development_values() -> dict[str, str]:
    """The settings that open every door, with values that the whole world knows."""
    return {name: value for door in DOORS for name, value in door.development.items()}


def _platform() -> Iterable[APIRouter]:
    from app.commands import router as execute  # noqa: PLC0415
    from app.doors.platform import actions, health, stats  # noqa: PLC0415

    return execute.router, stats.router, actions.router, health.router


def _admin() -> Iterable[APIRouter]:
    from app.doors.admin import keys, metrics  # noqa: PLC0415

    return keys.router, metrics.router


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


def _equip_user_api_keys(resources: Resources, settings: Settings) -> None:
    from app.database.encryption import Cipher  # noqa: PLC0415
    from app.doors.sessions.providers import Gemini  # noqa: PLC0415
    from app.models.secret import Providers  # noqa: PLC0415

    assert settings.encryption_key is not None, "the door is closed"  # noqa: S101
    resources.add(Cipher(settings.encryption_key.get_secret_value()))
    resources.add(Providers({"gemini": Gemini(str(settings.gemini_base_url)).check}))


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


def _detail(_: int, sentence: str, code: str | None) -> dict[str, object]:
    return {"detail": sentence, **({"code": code} if code else {})}


def _session_task(status: int, sentence: str, code: str | None) -> dict[str, object]:
    absent = "Task not found or you don't have permission to access it"
    return _detail(status, absent if status == 404 else sentence, code)


def _user_task(status: int, sentence: str, _: str | None) -> dict[str, object]:
    codes = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
    otherwise = "SERVER_ERROR" if status >= 500 else "VALIDATION_ERROR"
    return {"detail": sentence, "code": codes.get(status, otherwise)}


def _contact(_: int, sentence: str, __: str | None) -> dict[str, object]:
    return {"success": False, "message": sentence}


_SESSION = "`Authorization: Bearer` with a session token, or `X-Service-Auth` and `X-User-ID`"

DOORS = (
    Door(
        name="commands",
        paths=("/", "/execute", "/stats", "/actions", "/health"),
        routers=_platform,
        credential="`X-Service-Key`",
    ),
    Door(
        name="admin",
        paths=("/admin", "/metrics"),
        routers=_admin,
        credential="`X-Admin-Key`",
    ),
    Door(
        name="sessions",
        paths=("/api/tasks",),
        routers=_sessions,
        credential=_SESSION,
        opened_by="`SESSION_HASH_SECRET`, `SESSION_TABLE` or `SERVICE_AUTH_TOKEN`",
        is_open=lambda settings: settings.opens_sessions,
        shape=ErrorShape(_session_task),
        equip=_equip_sessions,
        cors=CrossOrigin.WEB_CLIENTS,
        development={
            "SESSION_HASH_SECRET": "your-secret-key-change-this-in-production",
            "SERVICE_AUTH_TOKEN": "your-service-auth-token-change-this",
        },
    ),
    Door(
        name="user-api-keys",
        paths=("/api/user-api-keys",),
        routers=_user_api_keys,
        credential=_SESSION,
        opened_by="the same and `ENCRYPTION_KEY`",
        is_open=lambda settings: settings.opens_user_api_keys,
        shape=ErrorShape(_detail),
        equip=_equip_user_api_keys,
        cors=CrossOrigin.WEB_CLIENTS,
        development={"ENCRYPTION_KEY": "dev-encryption-key-replace-in-production-00="},
    ),
    Door(
        name="accounts",
        paths=("/api/v1",),
        routers=_accounts,
        credential="`Authorization: Bearer`, a JWT of its own",
        opened_by="`JWT_SECRET`",
        is_open=lambda settings: settings.jwt_secret is not None,
        shape=ErrorShape(_detail, 400, "You don't have permission to access this"),
        equip=_equip_accounts,
        cors=CrossOrigin.WEB_CLIENTS,
        development={"JWT_SECRET": "dev-jwt-secret-replace-in-production"},
    ),
    Door(
        name="user-tasks",
        paths=("/api",),
        routers=_user_tasks,
        credential="`Authorization: Bearer`, a JWT of Better Auth",
        opened_by="`BETTER_AUTH_URL` or `BETTER_AUTH_SECRET`",
        is_open=lambda settings: settings.opens_user_tasks,
        shape=ErrorShape(_user_task, 400, "The task is another user's"),
        equip=_equip_user_tasks,
        cors=CrossOrigin.WEB_CLIENTS,
        development={
            "BETTER_AUTH_SECRET": "your-secret-key-minimum-32-characters-long-random-string"
        },
    ),
    Door(
        name="contacts",
        paths=("/users", "/calls", "/tasks"),
        routers=_contacts,
        credential="`X-API-Key`",
        opened_by="`TASK_API_KEY`",
        is_open=lambda settings: settings.task_api_key is not None,
        shape=ErrorShape(_contact),
        development={"TASK_API_KEY": "demo-secret-key-change-in-production"},
    ),
)
