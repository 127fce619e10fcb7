"""What the quickstart prints and writes, and what it refuses before it has worked for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from demo import quickstart
from demo.quickstart import Row, table


def rows() -> list[Row]:
    """Two shadows, told by grey pictures."""
    grey = [np.full((40, 50, 3), value, np.uint8) for value in (60, 140, 220)]
    scores = {"hand": ((20.0, 0.8), (30.0, 0.9)), "brim": ((10.0, 0.6), (21.0, 0.75))}
    return [Row(name, *grey, before, after) for name, (before, after) in scores.items()]


def test_the_table_has_a_line_for_each_shadow_and_their_mean():
    head, *lines = table(rows()).splitlines()
    assert head.split() == ["shadow", "PSNR", "dB", "before", "after", "SSIM", "before", "after"]
    assert [line.split() for line in lines] == [
        ["hand", "20.00", "30.00", "0.800", "0.900"],
        ["brim", "10.00", "21.00", "0.600", "0.750"],
        ["mean", "15.00", "25.50", "0.700", "0.825"],
    ]
    assert len({len(line) for line in (head, *lines)}) == 1  # columns


def test_what_was_restored_is_told_and_shown(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(quickstart, "restore_all", lambda *words: asked.append(words) or rows())
    out = tmp_path / "new" / "faces.png"
    given = ["--out", str(out), "--size", "40", "--seed", "3", "--checkpoint", "mine"]
    assert quickstart.main(given) == 0
    assert asked == [("mine", 40, 3)]
    said = capsys.readouterr().out
    assert said.startswith(table(rows()) + "\n")
    assert f"{out}: shadowed | restored | target (" in said
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    columns = [int(np.median(pixels[:, x])) for x in (25, pixels.shape[1] // 2, -25)]
    assert columns == [60, 140, 220]
    assert pixels.shape[0] >= 2 * 40


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
