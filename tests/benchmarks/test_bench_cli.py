"""The ``learnir-bench`` command from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample_methods import write

from benchmarks.arguments import parser
from benchmarks.cli import main


def test_help_loads_nothing_heavy():
    script = (
        "import sys, benchmarks.cli\n"
        "try: benchmarks.cli.main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'pandas', 'scipy', 'PIL') if m in sys.modules],"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[]"
    assert "--protocol" in done.stdout


def test_a_home_that_a_shell_leaves_behind_an_equals_sign_is_no_new_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/zoe")
    words = ["--dataset=~/pairs", "--out=~/out", "--data-root=~/data", "--checkpoint=~/last"]
    run = parser().parse_args(["run", "--method", "learnir", *words])
    assert (run.dataset, run.data_root) == ("/home/zoe/pairs", "/home/zoe/data")
    assert (run.checkpoint, run.out) == ("/home/zoe/last", Path("/home/zoe/out"))
    for command in (["table"], ["verify"], ["push", "a/b"]):
        given = parser().parse_args([*command, "--results=~/out"])
        assert given.results == Path("/home/zoe/out")


def test_run_table_compare_verify_export_push(data, results, tmp_path, capsys):
    for method in ("input", "retinex"):
        given = ["run", "--method", method, "--dataset", "ucb", "--protocol", "native-v1"]
        assert main([*given, "--data-root", str(data), "--out", str(results)]) == 0
    capsys.readouterr()
    assert main(["table", "--results", str(results)]) == 0
    assert "retinex" in capsys.readouterr().out
    regions = ["--metrics", "psnr_shadow", "psnr_shadow_legacy", "landmark_shift"]
    assert main(["table", "ucb.test", *regions, "--results", str(results)]) == 0
    assert "psnr_shadow_legacy" in capsys.readouterr().out
    assert main(["table", "--metrics", "psnr_shadw", "--results", str(results)]) == 1
    assert "did you mean psnr_shadow" in capsys.readouterr().err
    assert (
        main(["compare", "ucb.native-v1.input", "ucb.native-v1.ret", "--results", str(results)])
        == 0
    )
    assert "psnr" in capsys.readouterr().out
    picture = tmp_path / "plot.png"
    drawn = ["plot", "ucb.test", "quality-time", "-o", str(picture)]
    assert main([*drawn, "--results", str(results)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["verify", "--results", str(results)]) == 0
    assert "2 results, 0 problems" in capsys.readouterr().out
    assert main(["export", "retinex", "--results", str(results)]) == 0
    assert "model-index:\n- name: retinex\n" in capsys.readouterr().out
    assert main(["export", "retinex", "--model", "Mine", "--results", str(results)]) == 0
    assert "- name: Mine\n" in capsys.readouterr().out
    assert main(["export", "retinex", "--format", "eval-results", "--results", str(results)]) == 1
    assert "give --dataset-id" in capsys.readouterr().err
    assert main(["push", str(tmp_path / "there"), "--results", str(results)]) == 0
    assert len(list((tmp_path / "there").glob("*.json"))) == 2


@pytest.mark.parametrize("words", [["verify"], ["push", "./there"]])
@pytest.mark.parametrize("folder", ["gone", "empty"])
def test_a_folder_without_results_is_refused(words, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("")
    assert main([*words, "--results", folder]) == 1
    said = {"gone": "gone: no such folder of results", "empty": "empty: holds no results"}[folder]
    assert said in capsys.readouterr().err
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("where", ["mirrors/mine", "mirrors/new"])
def test_a_folder_that_reads_as_a_name_of_the_hub_is_not_uploaded_to(
    data, results, tmp_path, monkeypatch, capsys, where
):
    from huggingface_hub import HfApi

    given = ["run", "--method", "input", "--dataset", "ucb", "--protocol", "native-v1"]
    assert main([*given, "--data-root", str(data), "--out", str(results)]) == 0
    (tmp_path / "mirrors" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    sent = []
    monkeypatch.setattr(HfApi, "create_repo", lambda _, *name, **how: None)
    monkeypatch.setattr(HfApi, "upload_folder", lambda _, **what: sent.append(what["repo_id"]))
    assert main(["push", where, "--results", str(results)]) == 1
    assert f"write ./{where} for the folder, hub:{where} for the Hub" in capsys.readouterr().err
    assert sent == []
    assert main(["push", f"hub:{where}", "--results", str(results)]) == 0
    assert sent == [where]


def test_every_option_of_a_run_says_what_it_is_and_what_it_is_without():
    text = " ".join(parser().format_help().split())
    assert "``" not in text
    (commands,) = (a for a in parser()._actions if isinstance(a.choices, dict))
    said = {a.dest: a.help for a in commands.choices["run"]._actions}
    assert all(said.values())
    for name in ("split", "seeds", "workers", "checkpoint", "device", "mask", "training_data"):
        assert "default" in said[name]


NO_RESULTS = ("run", "template", "published")  # have no option of that name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--dataset", "ucb"], "either --method or --exec"),
        (["run", "--method", "input", "--dataset", "ucbb"], "did you mean ucb"),
        (["run", "--method", "input", "--dataset", "./gone"], "no such folder"),
        (["compare", "a", "b"], "unknown run"),
        (["table", "nothing"], "unknown board"),
        (["export", "nix"], "no result of 'nix'"),
        (["template", ".", "native-v1"], "run --method results:FOLDER"),
        (["published", "nix"], "no published number on 'nix'"),
        (["submit", "gone.zip"], "no such folder or zip"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extra = [] if words[0] in NO_RESULTS else ["--results", str(tmp_path)]
    assert main([*words, *extra]) == 1
    errors = capsys.readouterr().err
    assert said in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize("device", ["banana", "cuda:99"])
def test_a_device_that_is_not_here_is_one_line(device, data, results, capsys):
    words = ["run", "--method", "input", "--dataset", "ucb", "--data-root", str(data)]
    assert main([*words, "--device", device, "--out", str(results)]) == 1
    said = f"learnir-bench: device '{device}' is not available here; use 'cpu'\n"
    assert capsys.readouterr().err.endswith(said)
    assert not results.exists()


@pytest.mark.parametrize("kind", ["ValueError", "OSError", "RuntimeError"])
def test_what_a_users_own_method_raises_is_shown_with_its_frames(
    kind, data, results, tmp_path, monkeypatch, capsys
):
    module = f"my_{kind.lower()}"
    (tmp_path / f"{module}.py").write_text(f"def restore(picture):\n    raise {kind}('a\\nb')\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = ["run", "--method", f"python:{module}:restore", "--dataset", "ucb"]
    assert main([*words, "--data-root", str(data), "--out", str(results)]) == 1
    said = capsys.readouterr().err.strip()
    assert said.splitlines()[-1] == f"learnir-bench: restore on 00-0: {kind}: a b"
    assert f'{module}.py", line 2, in restore' in said
    assert "outside.py" not in said
    assert "runner.py" not in said


def test_a_module_that_cannot_be_loaded_is_shown_with_its_frames(tmp_path, monkeypatch, capsys):
    (tmp_path / "my_broken.py").write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    for part in ("input", "target"):
        write(tmp_path / part / "a.png", np.zeros((16, 16, 3), np.uint8))
    words = ["run", "--method", "python:my_broken:restore", "--dataset", str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "my_broken:restore: cannot be imported (ZeroDivisionError: division by" in said[-1]
    assert any('my_broken.py", line 2' in line for line in said)


@pytest.mark.parametrize(
    ("option", "number"),
    [("limit", "0"), ("limit", "-1"), ("workers", "0"), ("workers", "-2"), ("seeds", "-1")],
)
def test_numbers_without_a_meaning_are_refused(option, number, data, results, capsys):
    words = ["run", "--method", "input", "--dataset", "ucb", "--data-root", str(data)]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--out", str(results), f"--{option}", number])
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"--{option}: '{number}': a whole number of at least" in said
    assert not results.exists()


def test_a_run_says_what_it_left_out_and_what_it_cannot_read(data, results, capsys):
    (data / "ucb" / "target" / "00-0.png").unlink()
    results.mkdir()
    (results / "broken.json").write_text("{")
    words = ["run", "--method", "input", "--dataset", "ucb", "--data-root", str(data)]
    assert main([*words, "--protocol", "native-v1", "--out", str(results)]) == 0
    printed = capsys.readouterr()
    said = printed.err.strip().splitlines()
    assert said[0].startswith(
        "ucb: left out, without a partner: 1, such as 00-0; learnir-bench ver"
    )
    assert "broken.json: not a result file" in said[1]
    assert "ssim " in printed.out


def test_a_score_of_some_pictures_says_of_how_many(data, results, capsys):
    from dataset_tools.formats import encode_png

    without_shadow = encode_png(np.zeros((64, 64), np.uint8))
    (data / "ucb" / "mask" / "00-0.png").write_bytes(without_shadow)
    words = ["run", "--method", "input", "--dataset", "ucb", "--data-root", str(data)]
    assert main([*words, "--protocol", "native-v1", "--out", str(results)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[:-1])
    assert lines["psnr_shadow"].endswith("(7 of 8 pictures)")
    assert "(" not in lines["psnr"]


def test_the_table_names_damaged_files_and_shows_the_others(score, results, capsys):
    whole, emptied = score("input"), score("retinex")
    emptied.path.with_suffix(".parquet").write_bytes(b"")
    (results / "broken.json").write_text("{")
    assert main(["table", "--results", str(results)]) == 0
    printed = capsys.readouterr()
    assert "retinex" in printed.out
    assert f"{emptied.path.stem}.parquet: changed after the run was stored" in printed.err
    assert "broken.json: not a result file" in printed.err
    assert whole.id not in printed.err
    assert main(["verify", "--results", str(results)]) == 1
    assert "2 results, 2 problems" in capsys.readouterr().out
    emptied.path.with_suffix(".parquet").unlink()
    assert main(["table", "--results", str(results)]) == 0
    assert f"{emptied.path.stem}.parquet: missing" in capsys.readouterr().err
    assert main(["compare", whole.id, whole.id, "--results", str(results)]) == 0
    assert main(["compare", "broken", whole.id, "--results", str(results)]) == 1
    assert "broken.json: not a result file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["datasets"], ["protocols"], ["methods"]])
def test_lists(words, capsys):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert {"datasets": "o-haze", "protocols": "matlab-256-v2", "methods": "learnir"}[
        words[0]
    ] in out


def test_published_is_a_table(capsys):
    import io

    assert main(["published", "srd"]) == 0
    assert set(pd.read_csv(io.StringIO(capsys.readouterr().out))["dataset"]) == {"SRD"}


def test_a_template_lists_the_keys(data, capsys):
    assert main(["template", "ucb", "native-v1", "--data-root", str(data)]) == 0
    card = json.loads(capsys.readouterr().out)
    assert len(card["files"]) == 8
    assert card["input_row"]["psnr"] > 5


def test_a_template_is_of_the_split_that_is_asked_for(tmp_path, capsys):
    for part, colours in (("train", [90]), ("test", [90, 30])):
        for i, colour in enumerate(colours):
            write(tmp_path / f"srd/{part}/shadow/{i}.png", np.full((16, 16, 3), 9, np.uint8))
            clear = np.full((16, 16, 3), colour, np.uint8)
            write(tmp_path / f"srd/{part}/shadow_free/{i}_no_shadow.png", clear)
    words = ["template", "srd", "matlab-256-v2", "--data-root", str(tmp_path)]
    for split, keys in (("disjoint", {"1.png"}), ("test", {"0.png", "1.png"})):
        assert main([*words, "--split", split]) == 0
        card = json.loads(capsys.readouterr().out)
        assert (card["split"], set(card["files"])) == (split, keys)
    assert main([*words, "--split", "nix"]) == 1
    assert "no split 'nix'" in capsys.readouterr().err
