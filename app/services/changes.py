"""The change log: one row for every write, in the statement that writes.

A consumer keeps a cursor and misses nothing while it is away. `sequence` counts the changes of
one user without gaps, in the order they were committed. `position` numbers the log as a whole, in
the order of writing: where a number is missing, its transaction may still be running, so a reader
stops there until it knows better (`app.services.deliveries`).
"""


def recorded(kind: str, operation: str, fields: str = "'{}'::text[]") -> str:
    """Two common table expressions that append what the expression `written` wrote.

    `written` must yield `id` and `user_id`; `fields` is an SQL expression for the names of the
    fields that changed. Writers of one user take turns on the user's row in `change_counts`.
    """
    return f"""
    counted AS (
        INSERT INTO change_counts AS counts (user_id, last_sequence)
        SELECT user_id, 1 FROM written
        ON CONFLICT (user_id) DO UPDATE SET last_sequence = counts.last_sequence + 1
        RETURNING last_sequence
    ),
    recorded AS (
        INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields)
        SELECT '{kind}', '{operation}', written.user_id, written.id, counted.last_sequence,
               {fields}
        FROM written, counted
    )"""  # noqa: S608 - composed of constants when the module is loaded
