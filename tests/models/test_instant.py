from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.models.instant import Instant, LastInstant

ADAPTER: TypeAdapter[datetime] = TypeAdapter(Instant)
FIRST, LAST = datetime(1900, 1, 1), datetime(9998, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
aware = st.datetimes(FIRST, LAST, timezones=offsets)


@given(aware)
def test_aware_instant_is_the_same_instant_in_utc(moment: datetime) -> None:
    for spelling in (moment, moment.isoformat()):
        validated = ADAPTER.validate_python(spelling)
        assert validated == moment
        assert validated.tzinfo is UTC


@given(st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_utc_instant_round_trips_through_json(moment: datetime) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(moment)) == moment


@given(st.datetimes(FIRST, LAST))
def test_instant_without_a_zone_is_utc(moment: datetime) -> None:
    assert ADAPTER.validate_python(moment.isoformat()) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T10:00:00.123456Z", datetime(2026, 11, 20, 10, 0, 0, 123456, UTC)),
        ("2026-11-20 10:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20261120", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20261120T100000Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("20261120T1000", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("20261120T100000.5+0200", datetime(2026, 11, 20, 8, 0, 0, 500000, UTC)),
        ("20261120T100000-03", datetime(2026, 11, 20, 13, tzinfo=UTC)),
    ],
)
def test_common_iso_spellings_are_understood(text: str, expected: datetime) -> None:
    assert ADAPTER.validate_python(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(0, 1, -1, 1.5, 1732190000, 1732190000000, 10**30, float("nan"), float("inf")),
        *("0", "1732190000", "1732190000.5", "-1", "2026", "202611", "2026-1120", "2026112"),
        *(True, False, None, [], {}, b"2026-11-20", date(2026, 11, 20)),
        *("", "tomorrow", "2026-13-01", "2026-02-30", "2026-11-20T25:00:00Z", "2026-11-20Tnoon"),
        *("20261320", "20260230", "٢٣261120", "20261120Z", "20261120\x00", "17321900"),
        *("20261120T", "20261120T10", "20261320T100000Z", "20261120T250000Z", "20261120T100000ZZ"),
        *("20261120 100000", "٢٣261120T100000Z", "20261120T100000+9999"),
        *("2026-11-20T10:00:00+99:99", "٢٠٢٦-11-20", "2026-11-20\x00", "+2026-11-20"),
    ],
)
def test_what_is_no_iso_date_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(value)


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+12:00",
        "1899-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "10000-01-01T00:00:00Z",
    ],
)
def test_instant_outside_the_years_1900_to_9998_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(text)


@given(st.text(max_size=40) | st.integers() | st.floats() | st.booleans())
def test_whatever_is_sent_is_an_instant_or_a_validation_error(value: Any) -> None:
    with suppress(ValidationError):
        assert ADAPTER.validate_python(value).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, 23, 59, 59, 999999, UTC)),
        ("20261120", datetime(2026, 11, 20, 23, 59, 59, 999999, UTC)),
        ("2026-11-20T00:00", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20261120T000000Z", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_a_date_that_ends_a_span_includes_its_day(text: str, expected: datetime) -> None:
    assert TypeAdapter(LastInstant).validate_python(text) == expected
