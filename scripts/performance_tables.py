"""The tables of docs/performance.md from docs/results/*.json; a missing file leaves its table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fill_page import fill, markdown
from result_files import dated, read_result

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs" / "performance.md", ROOT / "docs" / "results"


def drm(found: dict[str, Any]) -> str:
    """Seconds and PSNR of both schedules, and their ratio."""
    head = [
        "size",
        "mirror images",
        "DRM, s",
        "fixed, s",
        "ratio",
        "multiply-adds",
        "PSNR DRM",
        "PSNR fixed",
    ]
    rows = [
        [
            f"{row['size']} px",
            "yes" if row["mirror"] else "no",
            f"{row['drm']['seconds']:.3f}",
            f"{row['fixed']['seconds']:.3f}",
            f"**{row['ratio']:.2f}**",
            f"{row['floor']:.2f}",
            f"{row['drm']['psnr']:.2f}",
            f"{row['fixed']['psnr']:.2f}",
        ]
        for row in found["rows"]
    ]
    return markdown([head, *rows])


def network(found: dict[str, Any]) -> str:
    """Milliseconds of one evaluation, as trained and folded."""
    models = list(found["rows"][0]["seconds"])
    rows = [
        [
            f"{r['size']} px",
            *(f"{1000 * r['seconds'][model]:.1f}" for model in models),
            f"{r['seconds'][models[1]] / r['seconds'][models[0]]:.2f}",
            f"{r['difference']:.0e}",
        ]
        for r in found["rows"]
    ]
    return markdown([["ms", *models, "ratio", "largest difference"], *rows])


def restore(found: dict[str, Any]) -> str:
    """Seconds and peak memory by size and mode, and the ratio to the large U-Net."""
    rows = [
        [
            f"{row['width']} x {row['height']}",
            row["mode"],
            f"{row['seconds']:.2f}",
            f"{row['peak_gib']:.2f}",
        ]
        for row in found["rows"]
    ]
    unet = found["unet"]
    first = found["rows"][0]
    others = ", ".join(
        f"{how} 1/{unet['seconds'] / made['seconds']:.0f}" for how, made in found["others"].items()
    )
    ratios = (
        f"Five evaluations of the {unet['parameters'] / 1e6:.0f} M `unet` at 256 x 256 take "
        f"{unet['seconds']:.1f} s, a restoration, close-up included, {first['seconds']:.2f} s, "
        f"which is 1/{unet['seconds'] / first['seconds']:.0f} of that; {others}."
    )
    return f"{markdown([['picture', 'mode', 'seconds', 'peak memory, GiB'], *rows])}\n\n{ratios}"


def folder(found: dict[str, Any]) -> str:
    """Seconds a picture of a batch, one by one and side by side, and their ratio."""
    rows = [
        [
            f"{row['width']} x {row['height']}",
            f"{row['one']:.2f}",
            f"{row['side by side']:.2f}",
            f"**{row['ratio']:.2f}**",
        ]
        for row in found["rows"]
    ]
    table = markdown([["pictures", "one by one, s", "side by side, s", "ratio"], *rows])
    return f"{table}\n\n{found['workers']} workers; {found['peak_gib']:.2f} GiB at most."


def metrics(found: dict[str, Any]) -> str:
    """Pictures per second of each way."""
    pairs = found["pairs"]
    rows = [[n, f"{s:.1f}", f"{pairs / s:.1f}"] for n, s in found["seconds"].items()]
    return markdown([["way", f"seconds for {pairs}", "pictures/s"], *rows])


def load(found: dict[str, Any]) -> str:
    """Answers, waits and memory."""
    crowd, memory = found["together"], found["memory_gib"]
    rows = [
        ["server up after", f"{found['server_up_seconds']} s"],
        ["answered at once", f"{crowd['answered']} of {crowd['users']}, {crowd['lost']} lost"],
        ["median wait", f"{crowd['median_wait']} s"],
        ["memory after 20 requests", f"{memory[0]:.3f} GiB"],
        [f"memory after {20 * len(memory)} requests", f"{memory[-1]:.3f} GiB"],
    ]
    return markdown([["what", "measured"], *rows])


def onnx(found: dict[str, Any]) -> str:
    """Seconds of both engines and both schedules, and what exporting took."""
    cases = list(found["rows"][0]["seconds"])
    rows = [
        [
            f"{r['size']} px",
            *(f"{r['seconds'][case]:.3f}" for case in cases),
            f"{r['difference']:.0e}",
        ]
        for r in found["rows"]
    ]
    made = " and ".join(
        f"{e['seconds']:.0f} s, {e['mib']:.0f} MiB" for e in found["exports"].values()
    )
    table = markdown([["seconds", *cases, "largest difference"], *rows])
    return f"{table}\n\nExporting, {' and '.join(found['exports'])}: {made}."


def framings(found: dict[str, Any]) -> str:
    """PSNR in one look and with close-ups, by how large the face is and by the picture's shape."""
    rows = [
        [
            f"{row['face']}, {row['shape']}",
            *(f"{row[look]:.2f}" for look in ("input", "one look", "close-ups")),
            f"{row['gain']:+.2f} ± {row['error']:.2f}",
            f"{row['better']}, {row['worse']}",
        ]
        for row in found["rows"]
    ]
    head = [
        f"{found['pictures']} portraits, dB",
        "observed",
        "without close-ups",
        "with close-ups",
        "gain",
        "better, worse",
    ]
    return markdown([head, *rows])


def video(found: dict[str, Any]) -> str:
    """Flicker and PSNR of each way to treat the frames, a table for each clip."""
    parts = []
    for clip, treatments in found["clips"].items():
        rows = [
            [name, f"{r['flicker']:.2f}", f"{r['psnr']:.2f}", f"{r['seconds']:.2f}"]
            for name, r in treatments.items()
        ]
        parts.append(markdown([[clip, "flicker, 8-bit levels", "PSNR", "seconds a frame"], *rows]))
    return "\n\n".join(parts)


def training(found: dict[str, Any]) -> str:
    """What a training run on a GPU did."""
    rows = [
        ["card", found["device"]],
        ["steps, seconds", f"{found['steps']}, {found['seconds']:.0f}"],
        ["pairs a second", f"{found['images_per_second']:.0f}"],
        ["network's TFLOP/s", f"{found['tflops']:.1f}"],
        ["GPU busy", f"{found['busy']:.0%}"],
        ["memory, GiB", f"{found['memory_gib']:.1f}"],
    ]
    return markdown([["what", "measured"], *rows])


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "drm": drm,
    "network": network,
    "restore": restore,
    "folder": folder,
    "metrics": metrics,
    "load": load,
    "framings": framings,
    "onnx": onnx,
    "video": video,
    "training": training,
}


def main() -> None:
    for name, table in TABLES.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            found = read_result(path)
            fill(PAGE, name, dated(table(found), found))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
