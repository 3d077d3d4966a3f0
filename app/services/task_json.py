"""Tasks as JSON that PostgreSQL builds and the worker passes on, at no cost for each."""

from itertools import chain, repeat

from pydantic_core import to_json

from app.models.spelling import Source, Spelling

# The instants look as pydantic writes them: no fraction where it is zero, else six digits.
_TEXT_JSON = "coalesce(to_json({0})::text, 'null')"
_INSTANT_JSON = """coalesce('"' || replace(
            to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''
        ) || 'Z"', 'null')"""
_JSON = {
    "id": """'"', id, '"'""",
    "user_id": "(SELECT to_json($1::text))",
    "title": "to_json(title)",
    "description": _TEXT_JSON.format("description"),
    "status": "to_json(status)",
    "priority": _TEXT_JSON.format("priority"),
    "tags": "to_json(tags)",
    "version": "version",
    **{
        name: _INSTANT_JSON.format(name)
        for name in ("created_at", "updated_at", "completed_at", "due_date")
    },
}


def _value_json(source: Source) -> str:
    others = _others_json(source)
    if not source.words:
        return others
    words = " ".join(f"WHEN '{stored}' THEN {_word_json(word)}" for stored, word in source.words)
    return f"CASE {source.column} {words} ELSE {others} END"


def _others_json(source: Source) -> str:
    if source.others == "as stored":
        return _JSON[source.column]
    if source.others == "in capitals":
        return _TEXT_JSON.format(f"upper({source.column})")
    return _word_json(source.others)


def _word_json(word: str | bool) -> str:
    return f"'{to_json(word).decode()}'"


def task_json(spelling: Spelling) -> str:
    """An expression for the JSON of a row of tasks; the user is the first parameter."""
    starts = chain("{", repeat(","))
    members = ", ".join(
        f"""'{start}"{name}":', {_value_json(source)}"""
        for start, (name, source) in zip(starts, spelling, strict=False)
    )
    return f"concat({members}, '}}')"


def columns_of(spelling: Spelling) -> tuple[str, ...]:
    """Those that a task's JSON is made of, and what measures it."""
    shown = (source.column for _, source in spelling if source.column != "user_id")
    return tuple(dict.fromkeys(("id", "title", "description", *shown)))
