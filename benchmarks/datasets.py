"""The data sets, declared: licence, citation, split rule, counts, and where to get each one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.layouts import PLAIN, Layout

Task = Literal["shadow", "haze", "face shadow", "any"]
OWN = "a folder"  # the title of a data set that is not declared


@dataclass(frozen=True)
class Dataset:
    """A data set, declared: what it holds, under which terms, and how it is scored.

    Attributes:
        revision: which release is meant.
        where: where to get it.
        counts: expected pairs of each split, the test split's first.
        main_score, main_protocol: what its boards are ranked by, and the protocol by default.
        folders: names looked for under the data root, in order.
        layouts: how its pictures may lie in that folder, tried in order.
        test: pattern that a key of the test split matches in full.
        scene: pattern whose first group is the scene, for clustering; None = every pair is a scene.
        faces: whether the metrics on faces apply.
        built: whether it is a FaceShadow, which states its own splits and scenes.
        least_side: no picture of the release is smaller in height or width; what is smaller is a
            reduced copy, whose scores are not those of the release.
        input_row: published do-nothing scores of the test split: (metric, protocol, value).
        traps: what a reader of scores on it must know.
        hub_id: of its data on the Hub.
    """

    name: str
    title: str
    task: Task
    licence: str
    citation: str
    revision: str
    where: str
    split_rule: str
    counts: tuple[tuple[str, int], ...]
    main_score: str
    main_protocol: str
    folders: tuple[str, ...]
    layouts: tuple[Layout, ...] = (PLAIN,)
    test: str = ".*"
    scene: str | None = None
    faces: bool = False
    built: bool = False
    least_side: int = 0
    input_row: tuple[tuple[str, str, float], ...] = ()
    traps: str = ""
    hub_id: str | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of its splits."""
        if self.built:
            return ("test", "val", "train")
        return tuple(dict.fromkeys(("test", *(name for name, _ in self.counts))))

    def expected(self, split: str) -> int | None:
        """How many pairs the split holds when it is complete."""
        return dict(self.counts).get(split)


_NTIRE = "research use; see the data set's page"
_SHADOW_SCENE = r"(\d+)-\d+"

DATASETS: dict[str, Dataset] = {
    d.name: d
    for d in (
        Dataset(
            "istd",
            "ISTD",
            "shadow",
            "research use",
            "Wang, Li, Yang: Stacked Conditional GANs for Jointly Learning Shadow Detection and "
            "Shadow Removal, CVPR 2018",
            "test folder of the 2018 release",
            "https://github.com/DeepInsight-PCALab/ST-CGAN",
            "the release's own train/ and test/",
            (("test", 540), ("train", 1330)),
            "psnr",
            "matlab-256-v2",
            ("istd", "ISTD", "ISTD_Dataset"),
            (Layout("{split}/{split}_A", "{split}/{split}_C", "{split}/{split}_B"), PLAIN),
            scene=_SHADOW_SCENE,
            traps="targets differ in exposure from inputs: ISTD+ corrects them",
            least_side=480,
        ),
        Dataset(
            "istd+",
            "ISTD+ (adjusted targets)",
            "shadow",
            "research use",
            "Le, Samaras: Shadow Removal via Shadow Image Decomposition, ICCV 2019",
            "adjusted ground truth of 2019",
            "https://github.com/cvlab-stonybrook/SID",
            "as ISTD",
            (("test", 540), ("train", 1330)),
            "psnr",
            "matlab-256-v2",
            ("istd+", "istd_plus", "ISTD+", "AISTD"),
            (
                Layout(
                    "{split}/{split}_A", "{split}/{split}_C_fixed_official", "{split}/{split}_B"
                ),
                Layout("{split}/{split}_A", "{split}/{split}_C", "{split}/{split}_B"),
                PLAIN,
            ),
            scene=_SHADOW_SCENE,
            least_side=480,
        ),
        Dataset(
            "srd",
            "SRD",
            "shadow",
            "research use; none stated on the public copies",
            "Qu, Tian, He, Tang, Lau: DeshadowNet, CVPR 2017",
            "public copy, 840x640",
            "https://github.com/vinthony/ghost-free-shadow-removal (links, and DHAN's masks)",
            "the release's own train/ and test/",
            (("test", 408), ("train", 2680), ("disjoint", 50)),
            "lab_mae",
            "matlab-256-v2",
            ("srd", "SRD", "srd_dev"),
            (
                Layout("{split}/shadow", "{split}/shadow_free", "{split}/mask", "", "_no_shadow"),
                Layout("{split}/shadow", "{split}/shadow_free", "{split}/mask", "", "_free"),
                PLAIN,
            ),
            input_row=(
                ("lab_mae_legacy", "matlab-256-v2", 13.77),
                ("lab_mae_shadow_legacy", "matlab-256-v2", 37.40),
                ("lab_mae_lit_legacy", "matlab-256-v2", 3.96),
            ),
            traps="358 of the 408 test targets also stand in train, byte for byte: report the 50 "
            "disjoint pairs apart; there are no official masks",
            least_side=600,
        ),
        Dataset(
            "o-haze",
            "O-HAZE",
            "haze",
            _NTIRE,
            "Ancuti, Ancuti, Timofte, De Vleeschouwer: O-HAZE, CVPRW 2018",
            "NTIRE 2018 release",
            "https://data.vision.ee.ethz.ch/cvl/ntire18/o-haze/",
            "the last five pairs, 41 to 45, are the test split",
            (("test", 5), ("all", 45)),
            "psnr",
            "512-v1",
            ("o-haze", "ohaze", "O-HAZE", "# O-HAZY NTIRE 2018"),
            (Layout("hazy", "GT", None, "_hazy", "_GT"), PLAIN),
            test=r"4[1-5]\D*",
            input_row=(("psnr", "512-v1", 13.38), ("ssim", "512-v1", 0.52)),
            traps="other papers pool before SSIM, or score at full resolution",
            least_side=1000,
        ),
        Dataset(
            "i-haze",
            "I-HAZE",
            "haze",
            _NTIRE,
            "Ancuti, Ancuti, Timofte, De Vleeschouwer: I-HAZE, ACIVS 2018",
            "NTIRE 2018 release",
            "https://data.vision.ee.ethz.ch/cvl/ntire18/i-haze/",
            "all 30 pairs are scored; the release has no test split in common use",
            (("test", 30),),
            "psnr",
            "512-v1",
            ("i-haze", "ihaze", "I-HAZE", "# I-HAZY NTIRE 2018"),
            (Layout("hazy", "GT", None, "_hazy", "_GT"), PLAIN),
            least_side=1000,
        ),
        Dataset(
            "nh-haze",
            "NH-HAZE",
            "haze",
            _NTIRE,
            "Ancuti, Ancuti, Timofte: NH-HAZE, CVPRW 2020",
            "NTIRE 2020 release",
            "https://data.vision.ee.ethz.ch/cvl/ntire20/nh-haze/",
            "all 55 pairs; papers that train on it hold out the last five",
            (("test", 55),),
            "psnr",
            "512-v1",
            ("nh-haze", "nhhaze", "NH-HAZE"),
            (Layout(".", ".", None, "_hazy", "_GT"), PLAIN),
            least_side=1200,
        ),
        Dataset(
            "dense-haze",
            "Dense-Haze",
            "haze",
            _NTIRE,
            "Ancuti, Ancuti, Sbert, Timofte: Dense-Haze, ICIP 2019",
            "NTIRE 2019 release",
            "https://data.vision.ee.ethz.ch/cvl/ntire19/dense-haze/",
            "all 55 pairs; papers that train on it hold out the last five",
            (("test", 55),),
            "psnr",
            "512-v1",
            ("dense-haze", "densehaze", "Dense_Haze_NTIRE19"),
            (Layout("hazy", "GT", None, "_hazy", "_GT"), PLAIN),
            least_side=1200,
        ),
        Dataset(
            "hazydet",
            "HazyDet",
            "haze",
            "research use; see the repository",
            "Feng et al.: HazyDet, 2024",
            "synthetic pairs of the first release",
            "https://github.com/GrokCV/HazyDet",
            "the release's own train/, val/ and test/",
            (("test", 2000),),
            "psnr",
            "512-v1",
            ("hazydet", "HazyDet", "HazyDet-365K"),
            (
                Layout("{split}/hazy images", "{split}/clean images"),
                Layout("{split}/hazy_images", "{split}/clean_images"),
                Layout("{split}/hazy_images", "{split}/images"),
                PLAIN,
            ),
            input_row=(("psnr", "512-v1", 15.98), ("ssim", "512-v1", 0.553)),
            traps="FFA-Net differs by 3.9 dB between sources",
        ),
        Dataset(
            "revide",
            "REVIDE (indoor)",
            "haze",
            "research use; see the repository",
            "Zhang et al.: Learning to Restore Hazy Video, CVPR 2021",
            "REVIDE_indoor, 42 train and 6 test sequences, 2708x1800",
            "https://github.com/BookerDeWitt/REVIDE_Dataset",
            "the release's own Train/ and Test/",
            (("test", 284),),
            "psnr",
            "512-v1",
            ("revide", "REVIDE_indoor", "REVIDE"),
            (Layout("{Split}/hazy", "{Split}/gt"), PLAIN),
            scene=r"([^/]+)/.*",
            input_row=(("psnr", "512-v1", 16.52), ("ssim", "512-v1", 0.601)),
            traps="frames of one sequence are one scene: intervals are clustered; MAP-Net halves "
            "the input",
            least_side=1000,
        ),
        Dataset(
            "faceshadow",
            "FaceShadow (ours, synthetic)",
            "face shadow",
            "per photo, in the metadata",
            "this project; docs/faceshadow.md",
            "the build's own revision, in its card",
            "build it: faceshadow build (docs/faceshadow.md)",
            "train / val / test split by identity; pairs without a shadow are not scored",
            (),
            "psnr",
            "native-v1",
            ("faceshadow", "FaceShadow"),
            (),
            faces=True,
            built=True,
            hub_id="learnir/faceshadow",
        ),
        Dataset(
            "ucb",
            "UCB (real facial shadows)",
            "face shadow",
            "none stated on the photographs: evaluate locally, never redistribute",
            "Zhang et al.: Portrait Shadow Manipulation, SIGGRAPH 2020; collected by Hou et al., "
            "CVPR 2022",
            "BlindShadowRemoval @ b1e5663c",
            "https://github.com/andrewhou1/BlindShadowRemoval",
            "every pair is evaluation data; never trained on",
            (("test", 100),),
            "psnr",
            "native-v1",
            ("ucb", "UCB", "ucb_dev"),
            scene=r"(\d+)-\d+",
            faces=True,
            least_side=256,
        ),
    )
}
