"""The mood as a picture: the cat's face, the streak, and a bar for each day of the week."""

from collections.abc import Iterator

from app.models.mood import DayCount, Label, MoodReport

_STYLE = """
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
.card{fill:#fffdf9;stroke:#e3ddd3}.ink{fill:#2b2730}.soft{fill:#6b6472}
.fur{fill:#f4a95c}.inner{fill:#f7c9c0}.nose{fill:#b8525f}.eye{fill:#2b2730}.glint{fill:#fff}
.line{fill:none;stroke:#2b2730;stroke-width:2.5;stroke-linecap:round;stroke-linejoin:round}
.whisker{fill:none;stroke:#6b6472;stroke-width:1.2;stroke-linecap:round}
.tear{fill:#3f8fd2}.spark{fill:#e0a100}.mouth{fill:#8e3b46}
.none{fill:#e3ddd3}.bar{fill:#7fb69a}.today{fill:#2f855a}
@media (prefers-color-scheme:dark){
.card{fill:#1f1c24;stroke:#3c3744}.ink{fill:#f4f0f7}.soft{fill:#b0a8b9}
.fur{fill:#e09a4f}.whisker{stroke:#d9d2e0}.tear{stroke:#1f1c24;stroke-width:.5;fill:#6db3ec}
.none{fill:#3c3744}.bar{fill:#4f8a6d}.today{fill:#6fd3a0}}
""".replace("\n", "")

_EARS = """
<path class="fur" d="M28 52L30 16L58 32ZM92 52L90 16L62 32Z"/>
<path class="inner" d="M33 42L34 25L48 33ZM87 42L86 25L72 33Z"/>
"""
_HANGING_EARS = """
<path class="fur" d="M34 40L12 44L30 66ZM86 40L108 44L90 66Z"/>
<path class="inner" d="M31 46L19 48L29 59ZM89 46L101 48L91 59Z"/>
"""
_HEAD = """
<ellipse class="fur" cx="60" cy="64" rx="38" ry="34"/>
<path class="nose" d="M56 69H64L60 74Z"/>
<path class="whisker" d="M30 70L14 67M30 75L14 77M90 70L106 67M90 75L106 77"/>
"""
_FACES: dict[Label, str] = {
    "ecstatic": """
<path class="line" d="M38 60Q44 50 50 60M70 60Q76 50 82 60"/>
<path class="mouth" d="M48 76Q60 80 72 76Q70 92 60 92Q50 92 48 76Z"/>
<path class="spark" d="M12 20l2.5 6l6 2.5l-6 2.5l-2.5 6l-2.5-6l-6-2.5l6-2.5Z"/>
<path class="spark" d="M106 92l2 5l5 2l-5 2l-2 5l-2-5l-5-2l5-2Z"/>
""",
    "happy": """
<circle class="eye" cx="45" cy="58" r="6"/><circle class="eye" cx="75" cy="58" r="6"/>
<circle class="glint" cx="47" cy="56" r="2"/><circle class="glint" cx="77" cy="56" r="2"/>
<path class="line" d="M60 74V78Q54 87 46 80M60 78Q66 87 74 80"/>
""",
    "content": """
<path class="line" d="M39 57Q45 64 51 57M69 57Q75 64 81 57"/>
<path class="line" d="M60 74V78Q56 83 50 80M60 78Q64 83 70 80"/>
""",
    "bored": """
<path class="eye" d="M39 58H51A6 6 0 0 1 39 58ZM69 58H81A6 6 0 0 1 69 58Z"/>
<path class="line" d="M37 58H53M67 58H83M52 82H68"/>
""",
    "worried": """
<circle class="eye" cx="45" cy="60" r="4.5"/><circle class="eye" cx="75" cy="60" r="4.5"/>
<path class="line" d="M38 52L49 47M82 52L71 47"/>
<path class="line" d="M48 83Q51 79 54 83T60 83T66 83T72 83"/>
<path class="tear" d="M92 38Q98 47 92 50Q86 47 92 38Z"/>
""",
    "sad": """
<path class="line" d="M39 61Q45 55 51 61M69 61Q75 55 81 61M38 52L49 48M82 52L71 48"/>
<path class="line" d="M49 86Q60 76 71 86"/>
<path class="tear" d="M42 66Q47 76 42 78Q37 76 42 66ZM78 66Q83 76 78 78Q73 76 78 66Z"/>
""",
}

_LEFT, _WIDTH, _GAP = 122, 18, 8
_BASELINE, _TALLEST, _LOWEST = 99, 34, 3


def draw(report: MoodReport) -> bytes:
    """An SVG of 320 by 120 that needs no fonts and no pictures from elsewhere."""
    mood, row = report.mood, _row(report.streak.current)
    ears = _HANGING_EARS if mood.label == "sad" else _EARS
    summary = f"Whiskers is {mood.label}: {mood.score} of 100. {row}."
    week = ", ".join(f"{day.date:%A} {day.completed}" for day in report.week)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="120" viewBox="0 0 320 120" '
        f'role="img" aria-labelledby="t d"><title id="t">{summary}</title>'
        f'<desc id="d">Tasks done this week: {week}.</desc><style>{_STYLE}</style>'
        '<rect class="card" x=".5" y=".5" width="319" height="119" rx="12"/>'
        f"{ears}{_HEAD}{_FACES[mood.label]}"
        f'<text class="ink" x="{_LEFT}" y="27" font-size="18" font-weight="600">'
        f"{mood.label.capitalize()}</text>"
        '<text class="soft" x="296" y="27" font-size="12" text-anchor="end">'
        f"{mood.score}/100</text>"
        f'<text class="soft" x="{_LEFT}" y="44" font-size="12">{row}</text>'
        f"{''.join(_bars(report.week))}</svg>"
    ).encode()


def _row(days: int) -> str:
    if days == 0:
        return "No streak"
    return "1 day in a row" if days == 1 else f"{days} days in a row"


def _bars(week: list[DayCount]) -> Iterator[str]:
    most = max(day.completed for day in week)
    for index, day in enumerate(week):
        left, is_today = _LEFT + index * (_WIDTH + _GAP), index == len(week) - 1
        height = max(_LOWEST, round(_TALLEST * day.completed / most)) if most else _LOWEST
        kind = "none" if not day.completed else "today" if is_today else "bar"
        yield (
            f'<rect class="{kind}" x="{left}" y="{_BASELINE - height}" width="{_WIDTH}" '
            f'height="{height}" rx="2"/>'
            f"{_caption(left, 111, f'{day.date:%a}'[0], bold=is_today)}"
        )
        if day.completed:
            yield _caption(left, _BASELINE - height - 3, _number(day.completed), bold=is_today)


def _number(completed: int) -> str:
    return str(completed) if completed < 1000 else f"{completed // 1000}k"


def _caption(left: int, y: int, text: str, *, bold: bool) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text class="{"ink" if bold else "soft"}" x="{left + _WIDTH // 2}" y="{y}" '
        f'font-size="10" text-anchor="middle"{weight}>{text}</text>'
    )
