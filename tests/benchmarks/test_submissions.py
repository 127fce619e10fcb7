"""Submissions: a good one is scored here; every hostile one is refused with its reason."""

import getpass
import json
import shlex
import shutil
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from sample_methods import write
from sample_submissions import edit, report, sign

from benchmarks import submissions
from benchmarks.cli import main
from benchmarks.leaderboard import boards, table
from benchmarks.names import BenchmarkError
from benchmarks.results import load_run, load_runs, stored_problems
from benchmarks.submissions import submit, template


def zipped(folder):
    return shutil.make_archive(str(folder), "zip", folder)


@pytest.mark.parametrize("form", [str, zipped])
def test_a_sound_submission_is_scored_here(bundle, data, results, form):
    verdict = submit(form(bundle), results, data)
    assert verdict.accepted, verdict.reason
    facts = load_run(results / f"{verdict.run_id}.json").facts
    assert facts["badge"] == "re-scored"
    assert facts["method"]["name"] == "Brighter"
    assert facts["method"]["source"] == "https://example.org/brighter"
    assert facts["provenance"]["by"] == "Ann"
    assert facts["dataset"]["pairs"] == 8
    assert facts["cost"]["seconds_median"] is None  # nobody saw how long the pictures took
    assert facts["cost"]["peak_memory_bytes"] is None
    assert "--method results:PICTURES" in facts["provenance"]["command"]
    assert str(bundle.parent) not in json.dumps(facts)
    assert stored_problems(load_run(results / f"{verdict.run_id}.json")) == []


def test_of_two_at_once_one_gets_the_name(bundle, data, results, tmp_path, monkeypatch):
    """Scoring takes minutes, in which somebody else may send a method of that name."""
    other = shutil.copytree(bundle, tmp_path / "other")
    for path in (other / "results").rglob("*.png"):  # not the same results
        cv2.imwrite(str(path), cv2.imread(str(path)) // 2)
    edit(other, by="Bob")
    sign(other)
    real, told = submissions.run, []

    def scored(plan):
        if not told:
            told.append("")
            told[0] = submit(other, results, data).accepted
        return real(plan)

    monkeypatch.setattr(submissions, "run", scored)
    verdict = submit(bundle, results, data)
    assert told == [True]
    assert not verdict.accepted
    assert "that name is another submitter's" in verdict.reason
    assert [run.facts["provenance"]["by"] for run in load_runs(results)] == ["Bob"]


@pytest.mark.parametrize("form", [str, zipped])
def test_a_top_folder_and_what_systems_leave_behind_do_not_matter(
    bundle, data, results, tmp_path, form
):
    sent = tmp_path / "sent"
    shutil.move(bundle, sent / "s_ok")
    left = ("s_ok/results/.DS_Store", "__MACOSX/s_ok/._submission.json", ".DS_Store", "s_ok/.git/x")
    for name in left:
        (sent / name).parent.mkdir(parents=True, exist_ok=True)
        (sent / name).write_bytes(b"\0Mac")
    verdict = submit(form(sent), results, data)
    assert verdict.accepted, verdict.reason
    assert load_run(results / f"{verdict.run_id}.json").facts["dataset"]["pairs"] == 8


def test_a_folder_of_ones_own_gets_no_template(data):
    with pytest.raises(BenchmarkError, match=r"--method results:FOLDER --dataset .*ucb"):
        template(str(data / "ucb"), "native-v1", data)
    with pytest.raises(BenchmarkError, match="did you mean ucb"):
        template("ucbb", "native-v1", data)


def test_the_command_of_a_submission_scores_its_pictures_again(
    bundle, data, results, tmp_path, monkeypatch
):
    verdict = submit(bundle, results, data)
    (bundle / "results").rename(tmp_path / "PICTURES")
    stored = load_run(results / f"{verdict.run_id}.json")
    command = shlex.split(stored.facts["provenance"]["command"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEARNIR_DATA", str(data))
    assert main([*command[1:-1], str(tmp_path / "again")]) == 0
    (again,) = load_runs(tmp_path / "again")
    assert again.mean("psnr") == stored.mean("psnr")


def test_scores_without_pictures_are_labelled_so(bundle, data, results, score):
    rows = score("input").rows()
    report(bundle, rows.assign(psnr=rows["psnr"] + 0.5))
    verdict = submit(bundle, results, data)
    assert verdict.accepted, verdict.reason
    run = load_run(results / f"{verdict.run_id}.json")
    assert run.facts["badge"] == "author-reported"
    assert stored_problems(run) == []
    again = submit(bundle, results, data)
    assert not again.accepted
    assert "has a row here already" in again.reason


def test_reported_scores_stand_below_those_made_here(bundle, data, results, score):
    rows = score("input").rows()
    report(bundle, rows.assign(psnr=float("inf"), ssim=1.0))
    assert submit(bundle, results, data).accepted
    shown = table(boards(results)[0], results)
    assert list(shown["badge"]) == ["re-scored", "author-reported"]
    assert shown["psnr"].iloc[1] == 100


def test_a_torn_row_of_ours_is_named(bundle, data, results, score):
    torn = score("input").path.with_suffix(".parquet")
    torn.write_bytes(torn.read_bytes()[:100])
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert f"{torn}: cannot be read" in verdict.reason


@pytest.mark.parametrize("form", ["pictures", "scores"])
def test_a_file_that_is_no_result_refuses_nobody(bundle, data, results, score, form):
    rows = score("input").rows()
    (results / "broken.native-v1.x.0000000000.json").write_text("{")
    if form == "scores":
        report(bundle, rows.assign(psnr=rows["psnr"] + 0.5))
    verdict = submit(bundle, results, data)
    assert verdict.accepted, verdict.reason
    assert verdict.reason.endswith(f"{verdict.run_id}; it stays as long as this folder of results")


def test_a_nameless_score_is_refused(bundle, data, results, score):
    rows = score("input").rows()
    rows.loc[0, "name"] = ""
    report(bundle, rows)
    assert "one row for each" in submit(bundle, results, data).reason


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("psnr", "nan", "not a score"),
        ("ssim", 1.7, "not a score"),
        ("psnr", -3, "not a score"),
        ("psnr", "<b>", "psnr"),
        ("psnr", "inf", "has no error"),
        ("taste", 5, "columns are"),
        ("name", "other", "one row for each"),
    ],
)
def test_impossible_scores_are_refused(bundle, data, results, score, column, value, words):
    rows = score("input").rows()[["name", "psnr", "ssim"]].astype(object)
    rows.loc[0, column] = value
    shutil.rmtree(bundle / "results")
    rows.to_csv(bundle / "scores.csv", index=False)
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert words in verdict.reason


def test_words_are_no_scores(bundle, data, results, score):
    """A column of True would be one of 1.0."""
    rows = score("input").rows()[["name", "psnr"]].assign(ssim="True")
    shutil.rmtree(bundle / "results")
    rows.to_csv(bundle / "scores.csv", index=False)
    assert "is True, not a score" in submit(bundle, results, data).reason


def spoil_name(folder):
    edit(folder, method="<img src=x onerror=alert(1)>")


def spoil_source(folder):
    edit(folder, source="javascript:<script>")


def spoil_json(folder):
    text = (folder / "submission.json").read_text()
    (folder / "submission.json").write_text(text.replace('"psnr": ', '"psnr": NaN, "x": '))


def spoil_fingerprint(folder):
    edit(folder, input_row={"psnr": 21.0, "ssim": 0.9})


def spoil_manifest(folder):
    edit(folder, manifest_sha256="0" * 64)


def spoil_hash(folder):
    write(folder / "results" / "00-0.png", np.zeros((64, 64, 3), np.uint8))


def spoil_missing(folder):
    (folder / "results" / "00-0.png").unlink()


def spoil_extra(folder):
    write(folder / "results" / "../results/zz.png", np.zeros((64, 64, 3), np.uint8))


def spoil_program(folder):
    (folder / "results" / "00-0.exe").write_bytes(b"MZ")


def spoil_size(folder):
    write(folder / "results" / "00-0.png", np.zeros((32, 32, 3), np.uint8))
    sign(folder)


def spoil_huge(folder):
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + data[24:29]
    bomb = data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
    (folder / "results" / "00-0.png").write_bytes(bomb)
    sign(folder)


def spoil_jpeg(folder):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "results" / "00-0.png", "JPEG")
    sign(folder)


def spoil_link(folder):
    (folder / "results" / "00-0.png").unlink()
    (folder / "results" / "00-0.png").symlink_to("/etc/passwd")


def spoil_dataset(folder):
    edit(folder, dataset="../../etc")


def spoil_mask(folder):
    edit(folder, mask="perhaps")


def spoil_card(folder):
    (folder / "submission.json").unlink()


def spoil_depth(folder):
    (folder / "submission.json").write_text("[" * 100_000)


def spoil_suffix(folder):
    (folder / "results" / "00-0.png").rename(folder / "results" / "00-0.bmp")
    sign(folder)


def spoil_number(folder):
    text = (folder / "submission.json").read_text()
    start = text.index('"psnr": ') + len('"psnr": ')
    (folder / "submission.json").write_text(
        text[:start] + "1" + "0" * 400 + ', "x": ' + text[start:]
    )


def spoil_split(folder):
    edit(folder, split="../../../../etc")


def spoil_reserved(folder):
    edit(folder, method="LearnIR", by=getpass.getuser())


def spoil_control(folder):
    write(folder / "results" / "\x1b[2J.png", np.zeros((64, 64, 3), np.uint8))


HOSTILE = {
    spoil_suffix: "00-0.png",
    spoil_number: "input_row",
    spoil_split: "no split",
    spoil_reserved: "method of this repository",
    spoil_control: "?[2J.png: not a result",
    spoil_name: "not allowed",
    spoil_source: "not allowed",
    spoil_json: "not a score",
    spoil_fingerprint: "input_row",
    spoil_manifest: "other test files",
    spoil_hash: "SHA-256",
    spoil_missing: "1 result missing: 00-0.png",
    spoil_extra: "not a result",
    spoil_program: "not a result",
    spoil_size: "never resized",
    spoil_huge: "too many pixels",
    spoil_jpeg: "PNG",
    spoil_link: "symbolic link",
    spoil_dataset: "unknown data set",
    spoil_mask: "mask is one of",
    spoil_card: "missing",
    spoil_depth: "not valid JSON",
}


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda f: f.__name__)
def test_a_spoiled_submission_is_refused_and_nothing_is_stored(bundle, data, results, spoil):
    spoil(bundle)
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert HOSTILE[spoil] in verdict.reason
    assert "\n" not in verdict.reason
    assert not list(results.glob("*.json"))


def test_the_name_of_somebody_elses_method_is_refused(bundle, data, results):
    assert submit(bundle, results, data).accepted
    edit(bundle, by="Bob")
    assert "another submitter's" in submit(bundle, results, data).reason


@pytest.mark.parametrize(
    "name",
    [
        "learnir ",
        "l\u0435arnir",
        "learnir\u3164",
        "Iearnir",
        "1earnir",
        "learnir.",
        "LearnIR (ours)",
        "\uff4cearnir",
        "-",
    ],
)
def test_a_name_that_looks_like_another_is_refused(bundle, data, results, name):
    edit(bundle, method=name)
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert "method" in verdict.reason


@pytest.mark.parametrize("claim", [{"dataset": "srd"}, {"split": "train"}])
def test_scores_that_claim_another_set_are_refused(score, bundle, data, results, claim):
    score().rows()[["name"]].assign(psnr=33.0, ssim=0.9).to_csv(bundle / "scores.csv", index=False)
    shutil.rmtree(bundle / "results")
    edit(bundle, **claim)
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert "no run of ours" in verdict.reason


@pytest.mark.parametrize(
    "by",
    [
        "LearnIR project",
        "the learn-ir team",
        "Iearn1r",
        "L\u0435arnIR",  # with a Cyrillic e
        "\uff2cearnIR",
        "L\u00e9arnir",
        "\u029fearnIR",
        "\u0141earnIR",
    ],
)
def test_nobody_submits_in_this_projects_name(bundle, data, results, by):
    edit(bundle, by=by)
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert "submission.json: by " in verdict.reason


@pytest.mark.parametrize(
    "by", ["José Müller", "Łukasz Ørsted", "王伟", "Ольга Иванова", "R2-D2 + A"]
)
def test_people_may_have_any_name(bundle, data, results, by):
    edit(bundle, by=by)
    verdict = submit(bundle, results, data)
    assert verdict.accepted, verdict.reason
