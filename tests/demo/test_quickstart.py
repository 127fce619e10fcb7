"""What the quickstart refuses, before it has worked for nothing."""

from __future__ import annotations

import pytest

from demo import quickstart


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--out", "faces.xyz"], "--out faces.xyz: name a .png, .jpg, .webp or .tif"),
        (["--out", "outputs"], "--out outputs: name a .png"),
        (["--checkpoint", "./none/there"], "none/there: no such checkpoint folder"),
    ],
)
def test_wrong_paths_are_refused_in_one_line_at_the_start(monkeypatch, given, told):
    monkeypatch.setattr(quickstart, "shadowed_faces", lambda *_: pytest.fail("it has begun"))
    with pytest.raises(SystemExit) as refused:
        quickstart.main(given)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
