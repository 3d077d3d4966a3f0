"""What a change of a task overwrites, as SQL that keeps it in the log; its owner is $2."""

OLD = "id, user_id, title, description, status, priority, completed_at, due_date, tags"


def _old_value(name: str) -> str:
    # What goes with a status has to come back with it.
    with_it = ", 'completed_at', old.completed_at" if name == "status" else ""
    built = f"jsonb_build_object('{name}', old.{name}{with_it})"
    return f"CASE WHEN '{name}' = ANY ($3) THEN {built} ELSE '{{}}' END"


_FIELDS = ("title", "description", "status", "priority", "due_date", "tags")
BEFORE = f"({' || '.join(map(_old_value, _FIELDS))})"
TRANSITION = """CASE
    WHEN old.status <> 'completed' AND written.status = 'completed' THEN 'completed'
    WHEN old.status = 'completed' AND written.status <> 'completed' THEN 'reopened'
END"""
CHANGED = "old JOIN written ON written.id = old.id"

CONTENT = f"{OLD}, created_at, version"
_KEPT = ", ".join(f"'{name}', old.{name}" for name in CONTENT.split(", ")[2:])
CATEGORIES_BEFORE = """jsonb_build_object('categories', ARRAY(
    SELECT category_id FROM task_categories
    WHERE task_id = old.id AND user_id = $2 ORDER BY category_id
))"""
ALL_BEFORE = f"(jsonb_build_object({_KEPT}) || {CATEGORIES_BEFORE})"
CONTENT_WRITTEN = ", ".join(f"tasks.{name}" for name in CONTENT.split(", "))
