"""Pictures and tables of README.md and the model card, from the shipped weights and result files.

    python scripts/make_figures.py            # make figures

Writes docs/figures/restored.jpg (scikit-image's astronaut, public domain) and fills the tables
between ``<!-- scores -->`` and ``<!-- /scores -->`` from learnir/weights/scores.json, which
``scripts/score_weights.py`` wrote, and those of docs/results (``scripts/measure.py``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import adaptation
import numpy as np
import performance_tables
from fill_page import fill, markdown
from group_scores import LOOKS
from left_alone import table as left_alone_table
from odd_pictures import table as odd_table
from PIL import Image
from result_files import dated, read_result
from skin_tones import table as skin_tone_table
from worn_things import table as worn_table

from learnir.checkpoint import load_checkpoint
from learnir.describe import IDENTICAL_DB, psnr_text

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "learnir" / "weights"
README, CARD = ROOT / "README.md", WEIGHTS / "README.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
PAGES = (README, CARD)
GROUPS = {"ucb": "UCB dev, real faces", "faceshadow": "FaceShadow test"}
"""What the folders of pairs are called whose names begin so."""
METRICS = (("psnr", "PSNR dB", 2), ("ssim", "SSIM", 3), ("lpips_alex", "LPIPS", 3))


def score_table(scores: dict[str, dict]) -> str:
    """Markdown: one row per set, each metric before -> after; and how its PSNR was averaged."""
    head = ["256 x 256", "pictures", *(label for _, label, _ in METRICS)]
    rows = [
        [name, score["pairs"], *(_change(score, metric, digits) for metric, _, digits in METRICS)]
        for name, score in scores.items()
    ]
    return f"{markdown([head, *rows])}\n\nPSNR: identical pictures count as {IDENTICAL_DB:.0f} dB."


def group_table(found: dict[str, Any]) -> str:
    """Markdown: PSNR of the faces in groups by how they were looked at."""
    head = ["four faces in 1280 x 960, PSNR dB", "pictures", "observed → restored"]
    rows = [[*head, "without close-ups"]]
    for name, looks in found["sets"].items():
        before, once, close = (looks[look]["psnr"] for look in LOOKS)
        faces = f"{before:.2f} → **{close:.2f}**"
        rows.append([_group(name), found["scenes"], faces, f"{once:.2f}"])
    return markdown(rows)


def _group(folder: str) -> str:
    """What the table calls a folder of pairs: one that nobody foresaw by its name."""
    return next((called for begun, called in GROUPS.items() if folder.startswith(begun)), folder)


def _of_rows(table: Callable[[Sequence[dict]], str]) -> Callable[[dict[str, Any]], str]:
    return lambda found: table(found["rows"])


TABLES: dict[str, tuple[Callable[[dict[str, Any]], str], tuple[Path, ...]]] = {
    "groups": (group_table, (README,)),
    "left_alone": (_of_rows(left_alone_table), (BENCHMARKS, CARD)),
    "left_alone_grey": (_of_rows(left_alone_table), (BENCHMARKS, CARD)),
    "skin_tones": (_of_rows(skin_tone_table), (BENCHMARKS, CARD)),
    "worn_things": (_of_rows(worn_table), (BENCHMARKS, CARD)),
    "odd_pictures": (_of_rows(odd_table), (BENCHMARKS,)),
}
"""Files in docs/results: how their tables are made, and the pages that hold them."""


def network_line() -> str:
    """What the shipped checkpoint is, in a sentence."""
    model = load_checkpoint(None)
    config, parameters = model.config, sum(p.numel() for p in model.parameters()) / 1e6
    mirror = (
        ", the last step's estimate being the mean with its mirror image's" if config.mirror else ""
    )
    width, top = (config.network_args.get(key) for key in ("width", "top"))
    widths = f"width {width}" if top in (None, width) else f"width {top}, then {2 * width} and on"
    return (
        f"A conditional NAFNet-style U-Net ({widths}, {parameters:.1f} M parameters) "
        f"predicts the {config.prediction} in {len(model.scales)} steps of residual "
        f"diffusion from the smooth equivalence point, at scales {model.scales}, with the "
        f"`{config.correction}` correction{mirror}."
    )


def _change(score: dict, metric: str, digits: int) -> str:
    if metric not in score["restored"]:
        return "not measured"
    values = [score[which][metric] for which in ("input", "restored")]
    before, after = (psnr_text(x) if metric == "psnr" else f"{x:.{digits}f}" for x in values)
    return f"{before} → **{after}**"


def restored_figure() -> np.ndarray:
    """Shadowed over restored over target, one column per shadow."""
    from demo.quickstart import restore_all

    rows = list(restore_all(None, 512, 0))
    columns = [np.concatenate([r.shadowed, r.restored, r.clean]) for r in rows]
    sheet = Image.fromarray(np.concatenate(columns, axis=1))
    return np.asarray(sheet.resize((320 * len(rows), 320 * 3), Image.Resampling.LANCZOS))


def main() -> None:
    scores = read_result(WEIGHTS / "scores.json")
    for page in PAGES:
        fill(page, "scores", dated(score_table(scores), scores))
    for name, (table, pages) in TABLES.items():
        found = read_result(ROOT / "docs" / "results" / f"{name}.json")
        for page in pages:
            fill(page, name, dated(table(found), found))
    fill(CARD, "network", network_line())
    figures = ROOT / "docs" / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    Image.fromarray(restored_figure()).save(figures / "restored.jpg", quality=88)
    adaptation.write_page()
    performance_tables.main()
    print(score_table(scores))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
