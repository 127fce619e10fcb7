"""What the app is started with: a login that was asked for is never left out."""

import pytest

from demo.options import parse_options


def test_a_login_is_of_the_command_line_else_of_the_environment(monkeypatch):
    monkeypatch.delenv("LEARNIR_APP_AUTH", raising=False)
    assert parse_options([]).auth is None
    monkeypatch.setenv("LEARNIR_APP_AUTH", "ann:secret")
    assert parse_options([]).auth == ("ann", "secret")
    assert parse_options(["--auth", "bob:other"]).auth == ("bob", "other")


@pytest.mark.parametrize("given", ["", "ann", "ann:", ":secret"])
@pytest.mark.parametrize("kept", ["ann:secret", None])
def test_half_a_login_or_none_of_it_starts_no_server(monkeypatch, capsys, given, kept):
    """As of ``--auth "$SECRET"`` where the secret is not set."""
    monkeypatch.delenv("LEARNIR_APP_AUTH", raising=False)
    if kept:
        monkeypatch.setenv("LEARNIR_APP_AUTH", kept)
    with pytest.raises(SystemExit):
        parse_options(["--auth", given])
    assert "--auth: write USER:PASSWORD, both not empty" in capsys.readouterr().err
    monkeypatch.setenv("LEARNIR_APP_AUTH", given)
    with pytest.raises(SystemExit):
        parse_options([])
