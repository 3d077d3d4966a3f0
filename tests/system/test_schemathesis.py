"""The service answers as the OpenAPI document that it serves says, whatever schemathesis sends.

All of schemathesis's phases (examples, coverage, fuzzing, sequences of requests) with all of its
checks, against a running service with a database of its own.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import hypothesis
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.openapi.checks import RejectedPositiveData

from app.auth import tokens
from app.commands.catalogue import output_schema
from app.commands.registry import commands, find_action
from app.config import DEVELOPMENT_ADMIN_KEY
from app.doors import development_values
from app.services.keys import DEVELOPMENT_KEY
from tests.doors.test_user_tasks import bearer_token
from tests.support import service
from tests.support.accounts import EMAIL, SECRET
from tests.support.examples import (
    CALLS,
    CATEGORIES,
    HOLDER,
    KEYS,
    REVOCATIONS,
    TASKS,
    TOKEN,
    WEBHOOKS,
    furnish,
)

SLOWEST_ANSWER = 2.0
MANY = hypothesis.settings().max_examples > 100
EXAMPLES = 40 if MANY else 10
DELETIONS = ("/api/tasks", "/api/v1/tasks", "/api/{user_id}/tasks")
DOOMED = {f"doomed-{index}": TASKS[500 + 100 * index :][:100] for index in range(len(DELETIONS))}
"""Which tasks which door may delete: what all of them try first is gone with the first."""
# The same requests for every change, so that what fails is of the change; new ones at night.
SEED = {} if MANY else {"seed": 1}
CONFIGURATION: dict[str, Any] = {
    **SEED,
    "auth": {
        "openapi": {
            "ServiceKey": {"api_key": DEVELOPMENT_KEY},
            "AdminKey": {"api_key": DEVELOPMENT_ADMIN_KEY},
            "Session": {"bearer": TOKEN},
            "AccountToken": {"bearer": tokens.issue(SECRET, HOLDER, EMAIL)},
            "UserToken": {"bearer": bearer_token(HOLDER)},
            "PartnerKey": {"api_key": development_values()["TASK_API_KEY"]},
        }
    },
    "checks": {"enabled": True, "max_response_time": SLOWEST_ANSWER},
    "generation": {"database": "none", "max-examples": EXAMPLES},
    "dictionaries": {
        "actions": {"values": [action.name for action in commands()]},
        "tasks": {"values": TASKS[:500]},
        "categories": {"values": CATEGORIES},
        "keys": {"values": KEYS},
        "revocations": {"values": REVOCATIONS},
        "calls": {"values": CALLS},
        "webhooks": {"values": WEBHOOKS[:8]},
        "doomed-webhooks": {"values": WEBHOOKS[8:]},
        "people": {"values": [HOLDER]},
        **{name: {"values": values} for name, values in DOOMED.items()},
    },
    "parameters": {
        "path.name": {"dictionary": "actions", "probability": 0.5},
        "path.task_id": {"dictionary": "tasks", "probability": 0.5},
        "path.cat_id": {"dictionary": "categories", "probability": 0.9},
        "path.key_id": {"dictionary": "keys", "probability": 0.5},
        "path.revocation_id": {"dictionary": "revocations", "probability": 0.5},
        "path.call_id": {"dictionary": "calls", "probability": 0.5},
        "path.webhook_id": {"dictionary": "webhooks", "probability": 0.5},
        "path.user_id": {"dictionary": "people", "probability": 0.9},
    },
    "operations": [
        {
            "include-name": f"DELETE {path}/{{task_id}}",
            "parameters": {"path.task_id": {"dictionary": name, "probability": 0.5}},
        }
        for path, name in zip(DELETIONS, DOOMED, strict=True)
    ]
    + [
        {
            "include-name": "DELETE /admin/webhooks/{webhook_id}",
            "parameters": {
                "path.webhook_id": {"dictionary": "doomed-webhooks", "probability": 0.5}
            },
        },
        # To find passwords at the edges of what is asked took 65 of 160 s.
        {
            "include-name": "POST /api/v1/auth/register",
            "phases": {"coverage": {"enabled": MANY}},
        },
    ],
    "output": {"sanitization": {"enabled": False}},
    "cache": {"enabled": False},
    "continue-on-failure": True,
}
ALL_CHECKS = {
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    *("positive_data_acceptance", "missing_required_header", "unsupported_method"),
    *("allow_header_conformance", "use_after_free", "ensure_resource_availability"),
    *("ignored_auth", "object_level_authorization", "max_response_time"),
}
# A JSON Schema describes one request by itself. These refusals of a request that is valid by itself
# depend on an earlier request, or on the header and the body together; their answers are fixed.
UNDESCRIBABLE = {
    # The names of the zones are 600, and IANA adds some every year.
    *(
        (label, 400, "time_zone: must be the IANA name of a time zone")
        for label in ("POST /execute", "GET /mood", "GET /mood.svg")
    ),
    # The contract answers 400, not 409, where a name is taken; the example's name is.
    ("POST /admin/service-keys", 400, "Key name already exists"),
    ("POST /execute", 422, "The idempotency key was used for another command"),
    ("POST /execute", 400, "idempotency_key: the header and the option differ"),
    ("POST /execute", 400, "cursor: was not issued by list-tasks"),
    ("POST /execute", 400, "cursor: was issued for another sort"),
    ("POST /execute", 400, "cursor: was not issued by list-changes"),
    ("POST /execute", 400, "cursor: was not issued with such a list"),
    ("POST /execute", 400, "cursor and after exclude each other"),
    ("POST /execute", 400, "give either sequence or command_id"),
    (
        "PATCH /api/tasks/{task_id}",
        422,
        "No fields provided for update: known are title, description, status, priority, dueDate, "
        "tags",
    ),
    ("POST /execute", 400, "page and cursor cannot be combined"),
    ("POST /execute", 400, "The task has this category already"),
    # An `anyOf` at the root of a body says it, and makes generators and tools refuse the body.
    ("POST /execute", 400, "No fields provided for update"),
    ("PATCH /api/v1/tasks/{task_id}", 400, "No fields provided for update"),
    ("PUT /api/{user_id}/tasks/{task_id}", 400, "No fields provided for update"),
    (
        "POST /api/v1/auth/register",
        400,
        "password: must not contain control, invisible or unassigned characters",
    ),
    ("POST /api/v1/auth/register", 400, "password: must have at least 8 characters"),
    ("POST /api/v1/auth/login", 423, "The account is locked after too many failed logins"),
    ("GET /api/v1/auth/verify", 400, "Invalid or expired verification token"),
    ("POST /execute", 400, "cursor: was not issued by list-tasks"),
    ("POST /api/v1/tasks", 400, "due_date: must lie in the future"),
    ("PATCH /api/v1/tasks/{task_id}", 400, "due_date: must lie in the future"),
    (
        "POST /api/v1/tasks/{task_id}/categories/{cat_id}",
        400,
        "The task has this category already",
    ),
}
# The same of refusals that say which member, or which command of a batch, it is.
UNDESCRIBABLE_BEGINNINGS = (
    "commands[",
    "Unknown field: ",
    "idempotency_key: a batch has none",
)


@dataclass
class Findings:
    """What a run found, and which operations and checks it reached."""

    problems: dict[object, str] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)
    statuses: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def note(self, recorder: ScenarioRecorder) -> None:
        for case_id, node in recorder.cases.items():
            if (answer := recorder.find_response(case_id=case_id)) is not None:
                self.statuses[node.value.operation.label].add(answer.status_code)
                if node.value.operation.label == "POST /execute" and answer.status_code == 200:
                    command: Any = node.value.body
                    self._check_result(command["action"], answer.json()["data"])
        for case_id, checks in recorder.checks.items():
            self.checks.update(check.name for check in checks)
            for info in filter(None, (check.failure_info for check in checks)):
                answer = recorder.find_response(case_id=case_id)
                status, text = (answer.status_code, answer.text[:500]) if answer else (None, "")
                report = f"{info.failure}\n{info.code_sample}\n{status} {text}"
                self.problems.setdefault((info.failure, status), report)

    def _check_result(self, name: str, data: object) -> None:
        """Whether the data is what the action returns, which the document says by action."""
        for error in Draft202012Validator(output_schema(find_action(name))).iter_errors(data):
            self.problems.setdefault((name, error.validator), f"{name}: {error.message}")

    def without_success(self) -> set[str]:
        """Operations none of whose answers was a success."""
        return {
            label
            for label, statuses in self.statuses.items()
            if not any(200 <= status < 300 for status in statuses)
        }


def is_defect(_: object, failure: Failure, case: schemathesis.Case[Any], answer: Any) -> bool:
    """Whether a finding contradicts the contract rather than what a schema can say of it."""
    if (case.path_parameters or {}).get("user_id") in {"v1", "tasks", "user-api-keys"}:
        return False  # the path is another door's, and so is the answer
    if not isinstance(failure, RejectedPositiveData):
        return True
    detail = answer.json()["detail"]
    if isinstance(detail, list):
        # Of the addresses that have the format, some cannot be anybody's: nobody@example.test.
        # Of the instants, some have passed.
        # Of a user, an installation and a key a revocation has to name one.
        # Where a URL leads is found out when it is looked up.
        undescribable = {"value_error.email", "future", "names_nothing", "forbidden_address"}
        return not {error["type"] for error in detail} <= undescribable
    if case.operation.label == "POST /execute" and detail.startswith(UNDESCRIBABLE_BEGINNINGS):
        return False
    return (case.operation.label, answer.status_code, detail) not in UNDESCRIBABLE


@schemathesis.hook("before_call")
def spare(_: object, case: schemathesis.Case[Any], __: object) -> None:
    """Leads the examples' webhook to this machine, and purges somebody who has nothing."""
    if case.operation.label == "DELETE /admin/users" and case.query.get("user_id") == HOLDER:
        case.query["user_id"] = "nobody"
    if isinstance(case.body, dict) and case.body.get("url") == "https://hooks.example.com/tasks":
        case.body["url"] = "https://127.0.0.1:1/hook"


def explore(schema: Any) -> Findings:
    """Everything schemathesis does, to the end."""
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            findings.note(event.recorder)
        elif isinstance(event, events.NonFatalError):
            findings.problems[event] = f"{event.label}: {event.info}"
        elif isinstance(event, events.EngineFinished):
            assert event.stop_reason is StopReason.COMPLETED
            findings.problems.update((failure, str(failure)) for failure in event.failures)
    return findings


@pytest.fixture
async def furnished_url(database_url: str) -> str:
    """A database that has what the document's examples name."""
    connection = await asyncpg.connect(database_url)
    await furnish(connection)
    await connection.close()
    return database_url


@pytest.fixture
def service_url(furnished_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    settings = {"DATABASE_URL": furnished_url, "LOG_LEVEL": "ERROR"}
    # While Redis is away no rate limit refuses what would show something else.
    settings |= {"REDIS_URL": "redis://localhost:1", "GEMINI_BASE_URL": "http://localhost:1"}
    settings["WEBHOOK_ALLOW_NETWORKS"] = "127.0.0.0/8"
    with service.running("dev", "--no-reload", **settings) as (url, _):
        yield url


def labels(schema: Any) -> set[str]:
    return {operation.ok().label for operation in schema.get_all_operations()}


@pytest.mark.no_cover  # to note what it covers, and other tests cover too, takes as long again
def test_every_answer_conforms_to_the_served_document(service_url: str) -> None:
    configuration = SchemathesisConfig.from_dict(CONFIGURATION)
    schema = schemathesis.openapi.from_url(f"{service_url}/openapi.json", config=configuration)
    schema.hook("filter_failure")(is_defect)
    findings = explore(schema)
    seed = f"schemathesis seed {configuration.seed}"
    assert not findings.problems, "\n\n".join([seed, *findings.problems.values()])
    assert findings.checks == ALL_CHECKS, seed
    assert set(findings.statuses) == labels(schema), seed
    assert not findings.without_success(), f"{findings.without_success()} {seed}"
