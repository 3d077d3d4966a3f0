from tests.support.service import ROOT


def test_the_better_auth_of_the_documentation_is_the_one_that_is_tested() -> None:
    tested = (ROOT / "tests/auth/better_auth/auth.mjs").read_text()
    assert f"```js\n{tested}```" in (ROOT / "docs/api.md").read_text()
