"""The tables of the suite in the READMEs, from `summary.csv` and `paired.csv`, between two comments in each file.

`suite.py table` writes them, so that no figure is copied by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from myosono.networks import record

SETS = ("pocus3", "busi3")
SIMULATED = "sim4"
BASE = "stanet_s"
AGAINST = {f"from `{BASE}`, same folds and size": BASE}
LARGE_AGAINST = {
    f"from `{BASE}`, same folds and size": f"{BASE} · house_96px",
    "from the taught one": f"{BASE} (pretrained) · taught_96px",
}
FOREST = "rf_engineered"
NAMES = {
    "shufflenet_v2_x0_5": "ShuffleNetV2 0.5",
    "shufflenet_v2_x1_0": "ShuffleNetV2 1.0",
    "efficientvit_m0": "EfficientViT-M0",
    "tinynet_e": "TinyNet-E",
    "tinynet_d": "TinyNet-D",
    "repghostnet_058": "RepGhostNet 0.58",
    "starnet_s050": "StarNet-S050",
    "mobilenetv2_100": "MobileNetV2",
    "mobilenetv3_small_100": "MobileNetV3-small",
    "ghostnet_050": "GhostNet 0.5",
    "mobilenetv4_conv_small_050": "MobileNetV4-conv-small 0.5",
    "lcnet_050": "LCNet 0.5",
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_b0": "EfficientNet-B0",
    "resnet18": "ResNet-18",
    "alexnet": "AlexNet",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
}
"""Networks of others by the names they are known by; ours stand as they are typed."""


@dataclass(frozen=True)
class Language:
    """The words of a table."""

    columns: str
    forest: str
    random: str
    imagenet: str
    own: str
    taught: str
    recipe: str
    seeds: str
    comma: str
    to: str


ENGLISH = Language(
    columns="network | starts from | MMAC | lung | breast | mean | accuracy, lung and breast | from random `stanet_s`",
    forest="random forest on engineered features",
    random="random",
    imagenet="**ImageNet**",
    own="**its own weights** (`--pretrained`)",
    taught="**its own weights**, taught by three of its kind",
    recipe="its own recipe (`{}`)",
    seeds="{} seeds",
    comma=", ",
    to=" to ",
)
CHINESE = Language(
    columns="网络 | 起始权重 | MMAC | 肺部 | 乳腺 | 平均 | 准确率：肺部，乳腺 | 与随机起步的 `stanet_s` 之差",
    forest="基于人工特征的随机森林",
    random="随机",
    imagenet="**ImageNet**",
    own="**自带权重**（`--pretrained`）",
    taught="**自带权重**，由三个同类网络教学",
    recipe="各自的训练方案（`{}`）",
    seeds="{} 个种子",
    comma="，",
    to=" 至 ",
)


class Results:
    """Both tables, by network, start and recipe."""

    def __init__(self, folder: Path) -> None:
        summary, paired = pd.read_csv(folder / "summary.csv"), pd.read_csv(folder / "paired.csv")
        self.all = summary
        self.summary = summary[summary["split"] == "patient"].set_index(["model", "pretrained", "recipe"]).sort_index()
        paired = paired[(paired["split"] == "patient") & (paired["metric"] == "auc")]
        self.paired = paired.set_index(["model", "pretrained", "recipe", "against", "benchmarks"]).sort_index()

    def networks(self, px: int) -> list[tuple[str, bool, str]]:
        """All that ran at a size, on one set or both."""
        rows = self.summary[(self.summary["px"] == px) & self.summary["benchmark"].isin(SETS)]
        return sorted(set(rows.index))

    def by_set(self, key: tuple[str, bool, str]) -> dict[str, pd.Series]:
        """Its rows by set, in their order; without a set that it did not run on."""
        rows = self.summary.loc[[key]].set_index("benchmark")
        return {name: rows.loc[name] for name in SETS if name in rows.index}

    def of(self, key: tuple[str, bool, str]) -> list[pd.Series]:
        """As `by_set`, rows alone."""
        return list(self.by_set(key).values())

    def mean(self, key: tuple[str, bool, str]) -> float:
        return float(sum(row["macro_auc"] for row in self.of(key)) / len(SETS))

    def difference(self, key: tuple[str, bool, str], against: str, to: str, sets: Sequence[str] = SETS) -> str:
        """Points of macro-AUC, of these sets together, on the same seeds, folds and patients."""
        place = (*key, against, "+".join(sorted(sets)))
        if place not in self.paired.index:
            return ""
        row = self.paired.loc[[place]].iloc[0]
        value, lo, hi = (_signed(100 * row[name]) for name in ("difference", "lo", "hi"))
        return f"{value}<br>({_whole(f'{lo}{to}{hi}')})"


def _auc(row: pd.Series) -> str:
    value, lo, hi = (f"{row[name]:.3f}" for name in ("macro_auc", "macro_auc_lo", "macro_auc_hi"))
    return f"{value}<br>({_whole(f'{lo}–{hi}')})"


def _whole(interval: str) -> str:
    """Without a place to break the line at: pages are narrow, and an interval in three lines is hard to read."""
    joiner = "\N{WORD JOINER}"
    return interval.replace(" ", "\N{NO-BREAK SPACE}").replace("–", f"{joiner}–{joiner}").replace("−", f"−{joiner}")


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def is_ablation(key: tuple[str, bool, str]) -> bool:
    return record(key[0]).family == "ablation"


def peers_table(results: Results, words: Language) -> list[str]:
    """Whole five folds at 128 px: ours first, then peers from random weights by their mean, then from ImageNet."""

    def is_whole(key: tuple[str, bool, str]) -> bool:
        return [row["folds"] for row in results.of(key)] == [5, 5] and key[2] != "distilled"

    keys = [key for key in results.networks(128) if is_whole(key) and not is_ablation(key)]
    keys.sort(key=lambda key: (not key[0].startswith("stanet"), key[1] and key[0] != BASE, -results.mean(key)))
    lines = [f"| {words.columns} |", "|" + "---|" * 8]
    for key in keys:
        lung, breast = rows = results.of(key)
        cells = [
            words.forest if key[0] == FOREST else _name(key[0]),
            _start(key, rows, words),
            _mmac(lung),
            *(_auc(row) for row in rows),
            f"{results.mean(key):.3f}",
            f"{lung['accuracy']:.3f}{words.comma}{breast['accuracy']:.3f}",
            results.difference(key, BASE, words.to),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _name(model: str) -> str:
    return NAMES.get(model, f"`{model}`")


def _mmac(row: pd.Series) -> str:
    macs = row["macs"]
    return "–" if pd.isna(macs) else f"{macs / 1e6:,.1f}"


def _start(key: tuple[str, bool, str], rows: list[pd.Series], words: Language) -> str:
    model, pretrained, recipe = key
    if model == FOREST:
        return "–"
    ours = model == BASE
    parts = [
        (words.taught if recipe == "taught" else words.own) if ours and pretrained
        else words.imagenet if pretrained else words.random
    ]  # fmt: skip
    if recipe not in ("house", "taught"):
        parts.append(words.recipe.format(recipe))
    seeds = min(len(str(row["seeds"]).split()) for row in rows)
    if seeds > 1:
        parts.append(words.seeds.format(seeds))
    return words.comma.join(parts)


def trials_table(
    results: Results, px: int, wanted: Callable[[tuple[str, bool, str]], bool], against: Mapping[str, str]
) -> list[str]:
    """Few folds, perhaps of one set: how many, what they gave, and the difference on the same folds.

    ``against`` names columns, and which way of training the flagship each pairs with.
    """
    lines = [
        f"| network | recipe | MMAC | folds, lung and breast | lung | breast | {' | '.join(against)} |",
        "|" + "---|" * (6 + len(against)),
    ]
    keys = sorted((key for key in results.networks(px) if wanted(key)), key=lambda key: (key[0], key[2]))
    for key in keys:
        ran = results.by_set(key)
        rows = [ran.get(name) for name in SETS]
        cells = [
            _name(key[0]) + ((" (its own weights)" if key[0] == BASE else " (ImageNet)") if key[1] else ""),
            f"`{key[2].removesuffix('_96px')}`",
            _mmac(next(iter(ran.values()))),
            ", ".join("0" if row is None else str(row["folds"]) for row in rows),
            *("–" if row is None else _auc(row) for row in rows),
            *(results.difference(key, one, " to ", list(ran)) for one in against.values()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def simulated_table(results: Results) -> list[str]:
    """The simulated cohort: all networks on patient folds, and what image folds would have claimed."""
    lines = [
        "| network | folds by | MMAC | folds | macro-AUC of images | of patients | accuracy of images | of patients "
        "| from `stanet_s`, same folds |",
        "|" + "---|" * 9,
    ]
    rows = results.all[results.all["benchmark"] == SIMULATED]
    rows = rows.sort_values(["split", "macro_auc"], ascending=False)  # patient before image
    for _, row in rows.iterrows():
        key = (row["model"], bool(row["pretrained"]), row["recipe"])
        cells = [
            _name(row["model"]),
            f"**{row['split']}**: leaks" if row["split"] == "image" else row["split"],
            _mmac(row),
            str(row["folds"]),
            _auc(row),
            *(f"{row[name]:.3f}" for name in ("patient_macro_auc", "accuracy", "patient_accuracy")),
            results.difference(key, BASE, " to ", [SIMULATED]) if row["split"] == "patient" else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def replaced(text: str, name: str, lines: list[str], path: Path) -> str:
    """The text with the lines between the table's two comments."""
    begin, end = f"<!-- {name}: by python benchmarks/suite.py table -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{path} lacks the comments {begin!r} and {end!r}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{rest.split(end)[1]}"


def written(results: Results, root: Path) -> dict[Path, str]:
    """Each file that holds tables, with those of these results."""

    def is_recipe(key: tuple[str, bool, str]) -> bool:
        return key[2] in ("sgd_step", "adam_plain", "adamw_gentle", "distilled")

    tables = {
        "README.md": {"peers": peers_table(results, ENGLISH)},
        "README.zh-CN.md": {"peers": peers_table(results, CHINESE)},
        "benchmarks/README.md": {
            "large": trials_table(results, 96, lambda key: True, LARGE_AGAINST),
            "recipes": trials_table(results, 128, is_recipe, AGAINST),
            "ablations": trials_table(results, 128, is_ablation, AGAINST),
            "simulated": simulated_table(results),
        },
    }
    found = {}
    for name, parts in tables.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        for table, lines in parts.items():
            text = replaced(text, table, lines, path)
        found[path] = text
    return found
