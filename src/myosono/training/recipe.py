"""The recipe: every decision of a training run, typed, in one place, saved with the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from myosono.cohort.grouping import MAX_SEED
from myosono.errors import RecipeError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(_Strict):
    """What ultrasound allows; an image is never turned upside down, since depth has a meaning.

    Every strength is the largest departure; 0 switches that one off.
    """

    flip: bool = Field(True, description="mirror left and right with probability 1/2")
    shift: float = Field(0.06, ge=0, le=0.3, description="share of width and height")
    scale: float = Field(0.12, ge=0, le=0.5, description="relative zoom")
    rotation: float = Field(6.0, ge=0, le=20, description="degrees")
    depth_crop: float = Field(0.15, ge=0, le=0.5, description="share of depth that may be cut off at the bottom")
    gain: float = Field(10.0, ge=0, le=40, description="grey levels added or removed everywhere")
    contrast: float = Field(0.15, ge=0, le=0.5, description="relative change of dynamic range")
    tgc: float = Field(10.0, ge=0, le=40, description="grey levels added or removed by depth, smoothly")
    speckle: float = Field(0.08, ge=0, le=0.5, description="relative multiplicative noise")


def _with_numbers(options: dict[str, Any]) -> dict[str, Any]:
    """YAML 1.1 takes ``1e-1`` for text; a recipe's own settings have types that tell, a network's options none."""
    return {name: float(value) if _is_number(value) else value for name, value in options.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value) is not None


ModelOptions = Annotated[dict[str, Any], AfterValidator(_with_numbers)]


class Teacher(_Strict):
    """What is fitted on the same training patients, and whose answers the model learns beside the labels.

    A larger network, or several of the model's own kind whose probabilities are averaged. They are trained by the
    recipe's own settings, save those named here; they never mix images and keep their best epoch.
    """

    model: str = "tf_efficientnet_lite0"
    model_options: ModelOptions = Field(default_factory=dict)
    pretrained: bool = Field(True, description="start the teacher from its pretrained weights")
    members: int = Field(1, ge=1, le=20, description="networks that differ in their seed and answer together")
    epochs: int = Field(25, ge=1, le=1000)
    patience: int = Field(15, ge=1, description="as the recipe's own")
    learning_rate: float = Field(3e-3, gt=0, lt=1)
    temperature: float = Field(2.0, ge=1, le=20, description="both networks' logits are divided by it")
    weight: float = Field(0.8, gt=0, le=1, description="share of the teacher in the loss; the labels have the rest")
    views: int = Field(
        10, ge=1, le=1000, description="augmented views of each image that the teacher answers; epochs take turns"
    )


class Recipe(_Strict):
    """All settings of `myosono train`.

    Examples
    --------
    >>> Recipe(epochs=3).epochs
    3
    """

    model: str = "stanet_s"
    model_options: ModelOptions = Field(default_factory=dict)
    pretrained: bool = Field(
        False, description="start from the weights that ship with a network of ours, or from those of ImageNet"
    )
    task: str = Field(
        "auto", description="a task name; auto: four_class for myositis labels, else the cohort's own labels"
    )
    split: Literal["patient", "published", "image"] = "patient"
    fold_files: str | None = Field(
        None, description="published split: folder of the fold files; default: those imported with the cohort"
    )
    folds: int = Field(5, ge=2, le=50)
    validation_fraction: float = Field(0.2, gt=0, lt=0.6)
    size: int = Field(224, ge=64, le=1024, description="side of the square network input, in pixels")
    epochs: int = Field(25, ge=1, le=1000)
    patience: int = Field(15, ge=1, description="epochs without a better patient-level validation loss")
    keep: Literal["best", "last"] = Field(
        "best", description="epoch that is kept: of lowest validation loss; or the last, and then none is stopped early"
    )
    batch_size: int = Field(32, ge=2, le=1024)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    schedule: Literal["cosine", "step", "constant"] = Field(
        "cosine", description="after warm-up: cosine to zero; a tenth after each third of the epochs; or unchanged"
    )
    learning_rate: float = Field(3e-3, gt=0, lt=1)
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(0.02, ge=0, lt=1)
    warmup_epochs: float = Field(1.0, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=0.5)
    class_weighting: bool = True
    average_decay: float = Field(0.99, ge=0, lt=1, description="moving average of the weights; 0 is off")
    augmentation: Augmentation = Augmentation()
    mixup: float = Field(0.0, ge=0, le=5, description="Beta(a, a) from which the share of a second image is drawn")
    teacher: Teacher | None = Field(None, description="distil from this network; off where absent")
    seed: int = Field(0, ge=0, le=MAX_SEED)

    def to_yaml(self) -> str:
        """The recipe as YAML, every value written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def identity(self) -> dict[str, Any]:
        """What decides a result, for hashing.

        A setting that came after the first results were stored counts only once it is used, so that they keep their
        hash. Fold files stand in the split's roles, whatever their place on a disk.
        """
        unused = {name for name in _LATER_SETTINGS if getattr(self, name) == Recipe.model_fields[name].default}
        told = self.model_dump(mode="json", exclude={"fold_files"} | unused)
        if self.teacher is not None and self.teacher.members == 1:
            del told["teacher"]["members"]
        return told

    def for_teacher(self, member: int = 0) -> Recipe | None:
        """The recipe by which a member of the teacher is fitted, or None without one; the first has our own seed."""
        if self.teacher is None:
            return None
        own = self.teacher.model_dump(exclude={"temperature", "weight", "views", "members"})
        seed = self.seed + _SEEDS_BETWEEN_MEMBERS * member
        return self.model_copy(update=own | {"teacher": None, "mixup": 0.0, "keep": "best", "seed": seed})


_LATER_SETTINGS = ("keep", "mixup", "teacher")
_SEEDS_BETWEEN_MEMBERS = 100
"""So that the members of runs with seeds 0, 1, 2, ... are all different trainings."""


def load_recipe(path: str | Path | None = None, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe from YAML and apply overrides; what is absent takes its default.

    Parameters
    ----------
    path
        YAML file, or None for the defaults.
    overrides
        Values that win over the file, by name; a dot reaches into ``augmentation`` and ``teacher``.

    Raises
    ------
    RecipeError
        If the file cannot be read, a key is unknown, or a value is out of range.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RecipeError(f"cannot be read as YAML: {error}", path=path) from error
        if not isinstance(values, dict):
            raise RecipeError("is not a mapping of settings", path=path)
    for key, value in (overrides or {}).items():
        _assign(values, key, value)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error), path=path, remedy=f"Settings are: {', '.join(_names())}") from error


_SECTIONS: dict[str, type[_Strict]] = {"augmentation": Augmentation, "teacher": Teacher}


def _names() -> list[str]:
    plain = [name for name in Recipe.model_fields if name not in _SECTIONS]
    return plain + [f"{section}.{name}" for section, model in _SECTIONS.items() for name in model.model_fields]


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        if values.get(parent) is None:  # absent, or a section that is switched off
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise RecipeError(f"{key}: {parent} has no settings of its own")
    values[last] = value


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        problems.append(f"unknown setting {name!r}" if item["type"] == "extra_forbidden" else f"{name}: {item['msg']}")
    return "; ".join(problems)
