"""Damage and tampering: a file reads identically, or is refused by name. It never crashes and never reads otherwise."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myosono.errors import ArtefactError
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.reading import Artefact
from myosono.reading.artefact import MAX_BYTES
from myosono.reading.seal import SEAL_KEY, Seal, seal, seal_of

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90), dtype=np.uint8)


@pytest.fixture(scope="module")
def whole(tiny_model) -> bytes:
    return tiny_model.path.read_bytes()


@pytest.fixture(scope="module")
def truth(tiny_model):
    return Artefact(tiny_model.path, threads=1).run(IMAGE).logits


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "damaged.onnx"


def reads_alike_or_is_refused(target, data: bytes, truth) -> None:
    target.write_bytes(data)
    with contextlib.ExitStack() as stack:
        if not np.array_equal(found := logits_or_none(target), truth):
            assert found is None
            stack.enter_context(pytest.raises(ArtefactError, match=r"damaged\.onnx"))
        Artefact(target, threads=1)


def logits_or_none(path):
    try:
        return Artefact(path, threads=1).run(IMAGE).logits
    except ArtefactError:
        return None


@given(st.binary(max_size=300))
def test_a_seal_holds_for_its_bytes_alone(body):
    sealed = seal(body)
    assert seal_of(sealed) is Seal.INTACT
    assert seal_of(body) is not Seal.INTACT
    assert seal_of(b"\0" + sealed) is Seal.BROKEN


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncation_anywhere_is_refused(whole, target, share):
    target.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ArtefactError, match=r"damaged\.onnx"):
        Artefact(target)


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_truncation_of_the_end_is_refused(whole, target, cut):
    target.write_bytes(whole[:-cut])
    with pytest.raises(ArtefactError, match=r"damaged\.onnx"):
        Artefact(target)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_never_reads_otherwise(whole, truth, target, share, bit):
    data = bytearray(whole)
    data[int(share * len(data))] ^= 1 << bit
    reads_alike_or_is_refused(target, bytes(data), truth)


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_in_the_seal_never_reads_otherwise(whole, truth, target, bit):
    for place in range(1, 84, 5):
        data = bytearray(whole)
        data[-place] ^= 1 << bit
        reads_alike_or_is_refused(target, bytes(data), truth)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_noise_is_refused(target, data):
    target.write_bytes(data)
    with pytest.raises(ArtefactError, match=r"damaged\.onnx"):
        Artefact(target)


def test_changed_weights_are_refused(tiny_model, target):
    model = onnx.load(tiny_model.path)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("classifier.weight"))
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * 2, weights.name))
    onnx.save(model, target)
    with pytest.raises(ArtefactError, match="does not match its seal"):
        Artefact(target)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, target)
    with pytest.raises(ArtefactError, match="lost its seal"):
        Artefact(target)


def resealed(tiny_model, target, change):
    """The tiny model with its metadata changed by someone who seals it anew."""
    model = onnx.load(tiny_model.path)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    text = change(json.loads(entries[ARTEFACT_METADATA_KEY]))
    del model.metadata_props[:]
    if text is not None:
        model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=text)
    target.write_bytes(seal(model.SerializeToString()))
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: json.dumps(m | {"format": 99}), "format 99; this version reads up to format"),
        (lambda m: json.dumps(m | {"format": None}), "no format"),
        (lambda m: json.dumps(m | {"format": True}), "no format"),
        (lambda m: json.dumps(m | {"classes": "Normal"}), "lacks classes"),
        (lambda m: json.dumps({k: v for k, v in m.items() if k != "split"}), "lacks split"),
        (lambda _: "[1, 2]", "metadata is damaged"),
        (lambda _: "[" * 100_000, "metadata is damaged"),
        (lambda _: "{", "metadata is damaged"),
        (lambda _: None, "not a myosono model"),
    ],
)
def test_metadata_of_another_kind_are_refused_by_name(tiny_model, target, change, message):
    with pytest.raises(ArtefactError, match=message) as refused:
        Artefact(resealed(tiny_model, target, change))
    assert str(target) in str(refused.value)
    assert refused.value.remedy


def test_an_unrelated_network_is_refused_even_with_our_metadata(tiny_model, target):
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, target)
    with pytest.raises(ArtefactError, match="not a myosono model"):
        Artefact(target)
    model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=json.dumps(tiny_model.metadata))
    target.write_bytes(seal(model.SerializeToString()))
    with pytest.raises(ArtefactError, match="the input image"):
        Artefact(target)


def test_a_huge_file_is_refused_before_it_is_read(target):
    with target.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(ArtefactError, match="too large"):
        Artefact(target)
    target.unlink()
