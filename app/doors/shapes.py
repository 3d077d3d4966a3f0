"""How the doors word their errors: a status, a sentence and a code become a body."""

from app.http.answers import ErrorShape, Mistakes, details


def detail(_: int, sentence: str, code: str | None) -> dict[str, object]:
    """FastAPI's own, and the code where there is one."""
    return {"detail": sentence, **({"code": code} if code else {})}


def user_task(status: int, sentence: str, _: str | None) -> dict[str, object]:
    """A sentence and one of five codes."""
    codes = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
    otherwise = "SERVER_ERROR" if status >= 500 else "VALIDATION_ERROR"
    return {"detail": sentence, "code": codes.get(status, otherwise)}


def contact(_: int, sentence: str, __: str | None) -> dict[str, object]:
    """That it failed, and a sentence."""
    return {"success": False, "message": sentence}


def contact_mistakes(sentence: str, mistakes: Mistakes) -> dict[str, object]:
    """What is wrong with a request, as FastAPI tells it, and a sentence."""
    return {**details(sentence, mistakes), "message": sentence}


def message(status: int, sentence: str, code: str | None) -> dict[str, object]:
    """JSON-RPC's, of an error that concerns no message in particular."""
    told = {"status": status, **({"code": code} if code else {})}
    error = {"code": -32603 if status >= 500 else -32600, "message": sentence, "data": told}
    return {"jsonrpc": "2.0", "id": None, "error": error}


MESSAGE = ErrorShape(message, 400)
