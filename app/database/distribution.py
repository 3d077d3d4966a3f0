"""Which tables are divided by user where one machine is not enough, and how."""

OWNED = (
    "change_counts",
    "changes",
    "contacts",
    "calls",
    "tasks",
    "categories",
    "task_categories",
    "completions",
    "user_preferences",
    "user_moods",
    "user_api_keys",
    "replays",
)
"""Tables of what belongs to users, each row to one; what refers to another comes after it."""

NOT_OWNED = {
    "webhook_deliveries": "a queue of the worker by endpoint, which holds what many users did",
    "refresh_tokens": "found by a token, before anybody knows whose it is",
    "verification_tokens": "found by a token, before anybody knows whose it is",
    "revocations": "few, and every worker holds them all",
    "user_sessions": "the auth server's, found by a token",
}
"""Tables with a user that stay in one place, and why."""
