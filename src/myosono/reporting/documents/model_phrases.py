"""Phrases about the model: what it is, how it was trained and chosen, with which software."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from myosono.reporting.documents.record import Answer, Table, listed, thousands
from myosono.reporting.documents.source import DocumentSource

_OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}
TAN_2024 = "Tan et al. 2024, J Biomed Eng 41:895, doi:10.7507/1001-5515.202301023"


def _is_network(source: DocumentSource) -> bool:
    return str(source.facts.part("model").get("kind", "network")) == "network"


def _is_stanet(source: DocumentSource) -> bool:
    return str(source.facts.part("model").get("name", "")).startswith("stanet")


def identity(source: DocumentSource) -> Answer:
    """Name, date and file of the model."""
    run, model = source.facts.run, source.facts.part("model")
    text = f"{model.get('name', 'not recorded')}, trained {run.get('created', 'at an unknown time')}"
    text += f" with myosono {source.facts.part('versions').get('myosono', 'of an unknown version')}."
    if source.model is None:
        return Answer(text, "run.json")
    file = source.model
    text += f" Model file {file.name}: {file.size / 1e6:.2f} MB, SHA-256 {file.sha256}."
    return Answer(text, f"run.json, {file.name}")


def architecture(source: DocumentSource) -> Answer:
    """What goes in, what happens, what comes out."""
    model, classes = source.facts.part("model"), source.evaluation.classes
    text = f"{model.get('name', 'not recorded')}: "
    if not _is_network(source):
        return Answer(
            text + f"an estimator on features engineered from the image; {len(classes)} class probabilities out.",
            "run.json",
        )
    if _is_stanet(source):
        text += f"depthwise separable and conventional convolutions with soft-threshold attention, after {TAN_2024}. "
    text += f"One grey image of {source.recipe['size']} × {source.recipe['size']} pixels in, {len(classes)} class "
    text += f"probabilities out ({listed(classes)})."
    if model.get("params"):
        text += f" {thousands(model['params'])} parameters"
    if model.get("macs"):
        shape = " × ".join(str(side) for side in model.get("macs_input") or ())
        text += f", {model['macs'] / 1e6:.1f} million multiply-accumulates" + (f" at {shape}" if shape else "")
    options = source.recipe.get("model_options") or {}
    named = "; ".join(f"{key} = {value}" for key, value in options.items())
    return Answer(text.rstrip(".") + "." + (f" Options: {named}." if named else ""), "run.json, recipe.yaml")


def preprocessing(source: DocumentSource) -> Answer:
    """From the stored image to the model's input, and what training adds."""
    size = source.recipe["size"]
    text = (
        "Images are cropped to the B-mode area when they are imported. They are resized to "
        f"{size} × {size} pixels (bilinear, antialiased) and standardised by constants, the same for every image, so "
        "that echo intensity keeps its meaning. The exported model carries these steps itself."
        if _is_network(source)
        else "Images are cropped to the B-mode area when they are imported; features are computed from them."
    )
    return Answer(text, "recipe.yaml and this software")


def augmentation(source: DocumentSource) -> Answer | None:
    """What is done to training images only."""
    if not _is_network(source):
        return None
    settings = source.recipe.get("augmentation") or {}
    named = [f"{name} {value}" for name, value in settings.items() if value and value is not True]
    named += [name for name, value in settings.items() if value is True]
    return Answer(f"Augmentation of training images only: {', '.join(named) or 'none'}.", "recipe.yaml")


def software(source: DocumentSource) -> Answer | None:
    """Versions and machine."""
    versions, machine = source.facts.part("versions"), source.facts.part("machine")
    if not versions:
        return None
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = ", ".join(dict.fromkeys(str(part) for part in machine.values()))
    return Answer(f"{named}." + (f" Machine: {where}." if where else ""), "run.json")


def initialisation(source: DocumentSource) -> Answer:
    """Random or pretrained."""
    seed = source.recipe.get("seed")
    if not _is_network(source):
        return Answer(f"The estimator has no weights to start from; seed {seed}.", "recipe.yaml")
    if source.recipe.get("pretrained"):
        start = source.facts.part("model").get("started_from", "ImageNet weights")
        return Answer(f"{start}; the classification layer is random, seed {seed}.{_teacher_start(source)}", "run.json")
    return Answer(f"Random, seed {seed}; no pretrained weights.{_teacher_start(source)}", "recipe.yaml")


def _teacher_start(source: DocumentSource) -> str:
    """Where a pretrained teacher's weights come from, unless they are the very ones that the model starts from."""
    if not (source.recipe.get("teacher") or {}).get("pretrained"):
        return ""
    model = source.facts.part("model")
    teacher = model.get("teacher") or {}
    start = teacher.get("started_from", "ImageNet weights")
    if start == model.get("started_from") and teacher.get("name") == model.get("name"):
        return " Its teacher starts from the same weights."
    return f" It learns from a teacher that starts from {start}."


def training(source: DocumentSource) -> Answer:
    """Optimiser, schedule, loss and length."""
    recipe = source.recipe
    if not _is_network(source):
        return Answer(f"Fitted once per fold, seed {recipe.get('seed')}; no epochs.", "recipe.yaml")
    loss = "Cross-entropy" + (", weighted by inverse class frequency" if recipe.get("class_weighting") else "")
    optimizer = _OPTIMIZERS.get(str(recipe.get("optimizer")), "Optimizer not recorded")
    text = (
        f"{loss}, label smoothing {recipe.get('label_smoothing')}."
        f"{_mixing(source)}{_teaching(source)} {optimizer} with learning rate {recipe.get('learning_rate')}, "
        f"weight decay {recipe.get('weight_decay')}, {recipe.get('schedule')} schedule after "
        f"{_epochs(recipe.get('warmup_epochs'))} of warm-up, batches of "
        f"{recipe.get('batch_size')}. {_length(recipe)} The full recipe stands in the run's report."
    )
    return Answer(text, "recipe.yaml")


def _length(recipe: Mapping[str, Any]) -> str:
    if recipe.get("keep") == "last":
        return f"{_epochs(recipe.get('epochs'))}."
    return f"At most {_epochs(recipe.get('epochs'))}, stopped after {recipe.get('patience')} without progress."


def _epochs(count: Any) -> str:
    return f"{count:g} epoch{'s' if count != 1 else ''}"


def _mixing(source: DocumentSource) -> str:
    mixup = source.recipe.get("mixup")
    return f" Images are mixed in pairs (mixup, Beta({mixup:g}, {mixup:g}))." if mixup else ""


def _teaching(source: DocumentSource) -> str:
    teacher = source.recipe.get("teacher")
    if not teacher:
        return ""
    members = teacher.get("members", 1)
    who = teacher["model"] if members == 1 else f"{members} trainings of {teacher['model']} that answer together"
    return (
        f" Distilled from {who}, fitted on the same training patients for at most {_epochs(teacher['epochs'])}: "
        f"{teacher['weight']:.0%} of the loss is divergence from its answers to {teacher['views']} views of each "
        f"image, at temperature {teacher['temperature']:g}."
    )


def model_selection(source: DocumentSource) -> Answer | None:
    """Which epoch was kept, and on whose evidence; the recipe itself may have been chosen on more."""
    if not _is_network(source):
        return Answer("One fit per fold: there is no epoch to choose.", "recipe.yaml")
    folds = [fold for fold in source.folds if "best_epoch" in fold]
    if not folds:
        return None
    rows = tuple((str(fold["fold"]), str(fold["best_epoch"] + 1), str(fold["epochs"])) for fold in folds)
    which = (
        "The last epoch is kept: no epoch is chosen."
        if source.recipe.get("keep") == "last"
        else "The epoch with the lowest class-balanced log loss over pooled validation patients is kept."
    )
    test = (
        "Test images have no part in it, but other images of the same patients do: the split leaks."
        if source.facts.part("split").get("leaks")
        else "Test patients have no part in it."
    )
    return Answer(
        f"{which} {test}",
        "fold_K/fold.json",
        Table("Kept epoch by fold", ("Fold", "Kept", "Trained"), rows),
    )


def ensembling(source: DocumentSource) -> Answer:
    """None; weights may be averaged within one training."""
    text = "No ensembling of folds: each fold's model predicts its own test patients."
    decay = source.recipe.get("average_decay")
    if _is_network(source) and decay:
        text += f" Within one training, the weights are a moving average over steps (decay {decay})."
    return Answer(text, "recipe.yaml")


def imbalance(source: DocumentSource) -> Answer:
    """What is done about unequal classes."""
    weighted = source.recipe.get("class_weighting")
    how = "Training weights classes by inverse frequency." if weighted else "Training does not weight classes."
    return Answer(f"{how} Probabilities are calibrated afterwards on validation patients.", "recipe.yaml")


def output(source: DocumentSource) -> Answer:
    """Probabilities, the rule of decision, and the freedom to abstain."""
    conformal = source.evaluation.conformal
    text = (
        "Class probabilities of each image; a muscle or patient has the mean of its images. The decision is the most "
        "probable class."
    )
    if conformal.fitted:
        text += (
            f" For patients a conformal set of classes is given too, meant to hold the truth for "
            f"{100 * (1 - conformal.alpha):.0f} % of patients. One class is a decision, "
            "several are a narrower answer, none or all are an abstention."
        )
    if source.model is not None:
        text += f" The model file's temperature is {source.model.metadata['temperature']:.3f}."
    return Answer(text, "metrics.json" if source.model is None else f"metrics.json, {source.model.name}")


def explanation(source: DocumentSource) -> Answer | None:
    """Only these networks explain themselves."""
    if not _is_stanet(source):
        return None
    return Answer(
        "Class maps (their mean is the class score) and a shrinkage map (what the soft threshold removed, a "
        "diagnostic) come with every reading.",
        "this software",
    )


def parity(source: DocumentSource) -> Answer | None:
    """How far the exported file agrees with the trained network."""
    if source.model is None or not isinstance(source.model.metadata.get("parity"), dict):
        return None
    proof = source.model.metadata["parity"]
    named = "; ".join(
        f"{key.replace('_', ' ')} {value:.3g}" if isinstance(value, float) else f"{key.replace('_', ' ')} {value}"
        for key, value in proof.items()
    )
    return Answer(f"Parity of the exported file with the trained network: {named}.", source.model.name)


def access(source: DocumentSource) -> Answer:
    """How the model can be run and made again."""
    command = source.facts.run.get("command")
    text = "The software is Apache-2.0."
    if command:
        text += f" The run was made by: {command if isinstance(command, str) else ' '.join(command)}"
    if source.model is not None:
        text += f". The model is one ONNX file, {source.model.name}, SHA-256 {source.model.sha256}."
    return Answer(text, "run.json")
