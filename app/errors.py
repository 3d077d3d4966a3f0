"""Errors a caller can be told about: each knows its status, its stable code and its sentence."""

from collections.abc import Mapping, Sequence

MOST_NAMED = 20
"""Mistakes that one answer names, however many were made."""
LONGEST_NAME = 100
"""Characters of a caller's name for something that an answer repeats."""


class AppError(Exception):
    """Internal server error"""

    status: int = 500
    code: str | None = "internal_error"
    headers: Mapping[str, str] = {}

    def __init__(self, message: str | None = None) -> None:
        self.message = message or type(self).__doc__ or ""
        super().__init__(self.message)

    def body(self) -> dict[str, object]:
        """The members of the JSON error answer."""
        return {"detail": self.message, **({"code": self.code} if self.code else {})}


class InvalidPayload(AppError):
    """Invalid payload"""

    status = 400
    code = "invalid_payload"

    def __init__(
        self, message: str | None = None, errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.errors = list(errors)

    def body(self) -> dict[str, object]:
        """Adds the list of what is wrong with which field."""
        return {**super().body(), "errors": self.errors}


class DryRunUnsupported(InvalidPayload):
    """This action reaches outside the service, which cannot be taken back"""

    code = "dry_run_unsupported"


class AlreadyExists(AppError):
    """Already exists"""

    status = 400
    code = "already_exists"


class AlreadyAssigned(InvalidPayload):
    """The task has this category already"""

    code = "already_assigned"


class Unauthorized(AppError):
    """Not authenticated"""

    status = 401
    code = None
    headers: Mapping[str, str] = {"WWW-Authenticate": "ApiKey"}


class BearerUnauthorized(Unauthorized):
    """Invalid or expired token"""

    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class InvalidSession(BearerUnauthorized):
    """Invalid or expired session"""


class Forbidden(AppError):
    """Not allowed"""

    status = 403
    code = "forbidden"


class Revoked(Forbidden):
    """Access was revoked"""

    code = "installation_revoked"


class NotFound(AppError):
    """Not found"""

    status = 404
    code: str | None = "not_found"


class UnknownAction(NotFound):
    """Unknown action"""

    code = None


# It exists, but belongs to somebody else: only a door whose contract says 403 lets on.
class Foreign(NotFound):
    """Not found"""


class Conflict(AppError):
    """The request conflicts with the present state"""

    status = 409
    code = "conflict"


class VersionConflict(Conflict):
    """The task was changed in the meantime"""

    code = "version_conflict"


class Taken(Conflict):
    """The name is taken"""

    code = "taken"


class ChangedSince(Conflict):
    """The task was changed since"""

    code = "changed_since"

    def __init__(self, message: str, fields: Sequence[str]) -> None:
        super().__init__(message)
        self.fields = fields

    def body(self) -> dict[str, object]:
        """Adds the names of the fields that were changed."""
        return {**super().body(), "fields": list(self.fields)}


class AlreadyUndone(Conflict):
    """It is undone already"""

    code = "already_undone"


class AlreadyRunning(Conflict):
    """The first command with this idempotency key is still running"""

    code = "already_running"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class Gone(AppError):
    """Not kept any more"""

    status = 410
    code = "gone"


class CursorExpired(Gone):
    """The changes after this cursor are not kept any more: start anew, without a cursor"""

    code = "cursor_expired"


class IdempotencyKeyReused(AppError):
    """The idempotency key was used for another command"""

    status = 422
    code = "idempotency_key_reused"


class TooManyRequests(AppError):
    """Too many requests"""

    status = 429
    code = "too_many_requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(retry_after)}


class Locked(AppError):
    """The account is locked after too many failed logins"""

    status = 423
    code = "locked"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(seconds)}


class AnswerTooLarge(AppError):
    """The answers of the batch are too long together; read in pages, or by a command of its own"""

    status = 413
    code = "answer_too_large"


class Refused(AppError):
    """Refused"""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(str(body["detail"]))
        self.status, self._body = status, body

    def body(self) -> dict[str, object]:
        """As it was told before, or by somebody else."""
        return dict(self._body)


class CommandFailed(AppError):
    """A command of a batch failed"""

    def __init__(self, index: int, command_id: str | None, error: AppError) -> None:
        super().__init__(f"commands[{index}]: {error.message}")
        self.status, self.code, self.headers = error.status, error.code, error.headers
        self._index, self._id, self._error = index, command_id, error

    def body(self) -> dict[str, object]:
        """What the command alone would have been told, and which command it is."""
        told = self._error.body() | {"detail": self.message}
        if "error" in told:
            told["error"] = self.message
        return told | {"index": self._index, "id": self._id}


class Fault(AppError):
    """Internal server error"""

    def body(self) -> dict[str, object]:
        """Carries the envelope's members too, so that a client that reads only those sees it."""
        return {**super().body(), "success": False, "data": None, "error": self.message}


class Unavailable(Fault):
    """Database unavailable, try again shortly"""

    status = 503
    code = "unavailable"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class SchemaUnusable(Unavailable):
    """The database's schema does not suit this version of the service"""

    code = "schema_unusable"


class SessionTableUnusable(Unavailable):
    """Sessions cannot be looked up at present, try again shortly"""

    code = "session_table_unusable"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class TokenKeysUnavailable(Unavailable):
    """The keys that verify tokens cannot be fetched, try again shortly"""

    code = "token_keys_unavailable"


class Busy(Unavailable):
    """Too many passwords to check, try again shortly"""

    code = "busy"


class SearchesBusy(Unavailable):
    """Too many searches at once, try again shortly"""

    code = "searches_busy"


# Not Unavailable: neither another connection nor the primary would be faster.
class SearchTooLong(Fault):
    """The search took longer than a second; narrow it, for example by a status or a due date"""

    status = 503
    code = "search_too_long"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class Full(Conflict):
    """The limit is reached"""

    code = "full"
