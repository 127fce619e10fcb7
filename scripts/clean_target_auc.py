"""How well the clean-target check ranks shadowed over clean faces, by skin tone.

    python scripts/clean_target_auc.py --photos DIR [--pairs DIR] [--count 600]

--photos: portraits (a folder or manifest), each measured as it is and under a synthetic cast shadow
of 10 to 80 % of the face. --pairs: input/ and target/ photographs of real shadows. Writes
docs/results/clean_target.json and the table of docs/faceshadow.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fill_page import fill, markdown
from tqdm import tqdm

from dataset_tools.facts import Facts, measure, skin_bin
from dataset_tools.landmarks import Detector, open_detector
from dataset_tools.photos import PhotoError, find_photos, load_picture
from dataset_tools.recipe import RECIPES
from dataset_tools.render import render
from learnir.writing import write_json

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULT = ROOT / "docs" / "faceshadow.md", ROOT / "docs" / "results" / "clean_target.json"
RECIPE = dataclasses.replace(
    RECIPES["faceshadow"], mix={"occluder": 1.0}, relit=0.0, coverage=(0.1, 0.8)
)


def auc(shadowed: list[float], clean: list[float]) -> float:
    """Probability that a shadowed face scores above a clean one, ties half (Mann-Whitney)."""
    a, b = np.array(shadowed)[:, None], np.array(clean)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def score(detector: Detector, picture: np.ndarray) -> Facts | None:
    """What the check says of a picture, None where it sees no face."""
    face = detector.detect(picture)
    return None if face is None else measure("", "", picture, face)


def synthetic(detector: Detector, place: str, count: int) -> Iterator[tuple[str, float, float]]:
    """(skin tone, score clean, score shadowed) of portraits that are not lit from the side."""
    photos = list(find_photos(place))
    chosen = np.random.default_rng(0).permutation(len(photos))[:count]
    for number in tqdm(chosen, unit="photo"):
        try:
            picture = load_picture(photos[number].path)
        except PhotoError:
            continue
        face = detector.detect(picture)
        if face is None or face.faces != 1 or _side_lit(photos[number].tags):
            continue
        pair = render(picture, face, (3, int(number)), RECIPE, 256)
        before, after = score(detector, pair.clean), score(detector, pair.shadow)
        if before is not None and after is not None:
            yield skin_bin(before.ita), before.shadow_score, after.shadow_score


def _side_lit(tags: dict[str, str]) -> bool:
    return abs(float(tags.get("cheek_asym_L") or 0)) > 15


def real(detector: Detector, folder: Path) -> Iterator[tuple[str, float, float]]:
    """The same of photographs: target and input of each pair."""
    for path in sorted((folder / "input").iterdir()):
        other = next((folder / "target").glob(f"{path.stem}.*"))
        found = [score(detector, load_picture(p)) for p in (other, path)]
        if found[0] is not None and found[1] is not None:
            yield "all", found[0].shadow_score, found[1].shadow_score


def row(name: str, rows: list[tuple[str, float, float]]) -> dict[str, object]:
    clean, shadowed = [r[1] for r in rows], [r[2] for r in rows]
    return {"set": name, "pairs": len(rows), "auc": round(auc(shadowed, clean), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--photos", required=True)
    parser.add_argument("--pairs", type=Path, default=None)
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    with open_detector() as detector:
        made = list(synthetic(detector, options.photos, options.count))
        found = list(real(detector, options.pairs)) if options.pairs else []
    tones = [t for t in ("very light", "light", "intermediate", "tan", "brown", "dark")]
    table = [row("synthetic shadows, all", made)]
    table += [
        row(f"synthetic shadows, {tone}", chosen)
        for tone in tones
        if len(chosen := [r for r in made if r[0] == tone]) >= 5
    ]
    if found:
        table.append(row("real photographs (UCB dev)", found))
    write_json(RESULT, {"rows": table})
    cells = [[r["set"], r["pairs"], r["auc"]] for r in table]
    fill(PAGE, "auc", markdown([["shadowed against clean", "faces", "AUC"], *cells]))
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
