"""A submission: its hashes, its card, and how it becomes one of scores alone."""

import hashlib
import json
import shutil


def sign(folder):
    """Writes the pictures' hashes into the card."""
    card = json.loads((folder / "submission.json").read_text())
    card["files"] = {
        p.relative_to(folder / "results").as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in (folder / "results").rglob("*")
        if p.is_file()
    }
    (folder / "submission.json").write_text(json.dumps(card))


def edit(folder, **changes):
    card = json.loads((folder / "submission.json").read_text())
    (folder / "submission.json").write_text(json.dumps(card | changes))


def report(bundle, rows):
    """The submission as scores instead of pictures."""
    shutil.rmtree(bundle / "results", ignore_errors=True)
    rows[["name", "psnr", "ssim"]].to_csv(bundle / "scores.csv", index=False)
