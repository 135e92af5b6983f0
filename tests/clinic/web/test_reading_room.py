"""The pages of the reading room over HTTP: what they show, and what they refuse."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from myosono.clinic.database.models import AuditEntry, PhysicianReading, StoredImage, Study


@pytest.fixture
def study(take, worker, make_muscle) -> int:
    """Two images of one patient, read."""
    study = take(make_muscle(1), "P001_RD_1.png").study
    take(make_muscle(2), "P001_LD_1.png")
    while worker.run_once():
        pass
    return study.id


def image_ids(database, study: int) -> list[int]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(StoredImage.id).where(StoredImage.study_id == study)))


def test_the_worklist_shows_a_study_and_its_filters_work(reader, study):
    page = reader.get("/").text
    assert 'data-href="/studies/1"' in page
    assert "2 of 14" in page
    assert "No studies yet" not in page
    assert "No study fits" in reader.get("/?text=nobody").text
    assert 'data-href="/studies/1"' in reader.get("/worklist/table?text=P001&status=read").text
    assert reader.get("/?status=nonsense").status_code == 422
    assert reader.get("/?since=yesterday").status_code == 422
    assert reader.get("/?until=9999-12-31").status_code == 422


def test_an_empty_worklist_says_how_studies_come(reader):
    assert "No studies yet" in reader.get("/").text


@pytest.mark.parametrize("order", ["priority", "patient", "arrived", "device"])
def test_a_heading_turns_the_order_round(reader, study, order):
    page = reader.get(f"/?order={order}").text
    here = re.search(r'aria-sort="(\w+)">\s*<a href="([^"]*)"', page)
    if order == "device":  # sorts, though it has no heading of its own
        assert here is None
        return
    turned = reader.get(here[2].replace("&amp;", "&")).text
    assert {here[1], re.search(r'aria-sort="(\w+)"', turned)[1]} == {"ascending", "descending"}


def test_the_study_page_states_answer_reasons_model_and_warnings(reader, study, database):
    page = reader.get(f"/studies/{study}").text
    assert "simulation-trained, not for clinical use" in page
    assert "Body map" in page
    assert page.count('class="muscle chance-') == 14
    assert page.count("/thumbnail.webp") == 2
    assert f"viewer#image={image_ids(database, study)[0]}&amp;beside=" in page
    with database.session(writes=False) as session:
        views = session.scalars(select(AuditEntry).where(AuditEntry.action == "view")).all()
    assert [(one.user, one.study_id) for one in views] == [("ben", study)]
    assert reader.get("/studies/99").status_code == 404


def say_of_the_patient(database, study: int, **result) -> None:
    """Put other words into the model's mouth."""
    with database.session() as session:
        found = session.get_one(Study, study)
        found.result = {**found.result, "label": None, "answer": "abstains", "abstained": True, **result}


def result_card(page: str) -> str:
    return page[page.index('id="result-title"') : page.index('class="map-and-grid"')]


def test_where_the_model_abstains_nothing_is_called_excluded(reader, study, database):
    reasons = ["unlike the calibration patients: no diagnosis reaches 90% confidence"]
    say_of_the_patient(database, study, prediction_set=["IBM"], reasons=reasons)
    assert "excluded" in result_card(reader.get(f"/studies/{study}").text)
    say_of_the_patient(database, study, prediction_set=[], reasons=reasons)
    card = result_card(reader.get(f"/studies/{study}").text)
    assert "The model gives no answer" in card
    assert reasons[0] in card
    assert card.count('class="number"') == 4
    assert "excluded" not in card
    assert "possible" not in card


def test_a_refusal_of_all_images_is_an_answer_with_its_reasons(reader, program, study, database):
    reasons = ["not muscle ultrasound: none of the images is"]
    say_of_the_patient(database, study, probabilities={}, prediction_set=[], reasons=reasons)
    card = result_card(reader.get(f"/studies/{study}").text)
    assert "Nothing has been read yet" not in card
    assert "The model gives no answer" in card
    assert reasons[0] in card
    patient = program.get(f"/api/v1/studies/{study}/reading").json()["patients"][0]
    assert (patient["answer"], patient["probabilities"], patient["reasons"]) == ("abstains", {}, reasons)


def test_no_page_holds_inline_script_or_style(reader, study):
    for address in ("/", f"/studies/{study}", f"/studies/{study}/viewer", "/agreement", "/drift", "/api/docs"):
        answer = reader.get(address)
        assert answer.status_code == 200, address
        assert not re.search(r"<[a-z]+[^>]* style=", answer.text), address
        assert not re.search(
            r"\son[a-z]+=", re.sub(r"<script type=\"application/json\".*?</script>", "", answer.text)
        ), address
        for script in re.findall(r"<script([^>]*)>", answer.text):
            assert "src=" in script or 'type="application/json"' in script, address


def test_a_name_cannot_become_markup(reader, take, worker, make_muscle):
    take(make_muscle(1), "x_RD_1.png", study_uid="1.2.9", description="<script>alert(1)</script>")
    name = "</script><script>alert(1)</script>.png"
    study = take(make_muscle(2), name, study_uid="1.2.9").study
    while worker.run_once():
        pass
    for address in ("/", f"/studies/{study.id}", f"/studies/{study.id}/viewer"):
        assert "<script>alert" not in reader.get(address).text
    viewer = reader.get(f"/studies/{study.id}/viewer").text
    images = json.loads(re.search(r'id="images">(.*?)</script>', viewer, re.DOTALL)[1])
    assert {"script>.png", "x_RD_1.png"} == {one["name"] for one in images}


def test_frames_thumbnails_and_maps(reader, study, database, make_muscle):
    image = image_ids(database, study)[0]
    whole = reader.get(f"/images/{image}/frames/0.png")
    assert whole.headers["content-type"] == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(whole.content)).convert("L"))
    assert np.array_equal(shown, np.asarray(Image.open(io.BytesIO(make_muscle(1)))))
    assert whole.headers["cache-control"] == "private, no-cache"
    again = reader.get(f"/images/{image}/frames/0.png", headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    small = Image.open(io.BytesIO(reader.get(f"/images/{image}/thumbnail.webp").content))
    assert small.width <= 320
    assert small.height <= 240
    layers = {}
    for layer in ("IBM", "shrinkage"):
        layers[layer] = reader.get(f"/images/{image}/frames/0/map.png?layer={layer}")
        assert Image.open(io.BytesIO(layers[layer].content)).mode == "RGBA"
    assert layers["IBM"].content != layers["shrinkage"].content
    assert layers["IBM"].headers["etag"] != layers["shrinkage"].headers["etag"]
    for missing in (f"/images/{image}/frames/9.png", "/images/99/frames/0.png", "/images/99/thumbnail.webp"):
        assert reader.get(missing).status_code in (404, 422), missing
    assert reader.get(f"/images/{image}/frames/0/map.png?layer=nonsense").status_code == 404


def test_pictures_need_a_login(visitor, study, people):
    assert visitor.get("/images/1/frames/0.png", headers={"accept": "image/png"}).status_code == 401
    assert visitor.get("/events", headers={"accept": "text/event-stream"}).status_code == 401


def test_draft_sign_amend(reader, admin, study, database):
    answer = reader.get(f"/api/v1/studies/{study}", headers={"accept": "application/json"}).json()["answer"]
    opinion = f"/api/v1/studies/{study}/opinion"
    draft = reader.fetch("PUT", opinion, json={"notes": "very echogenic", "heckmatt": {"RD": 3}})
    assert draft.json()["signed_at"] is None
    assert "very echogenic" in reader.get(f"/studies/{study}").text
    assert "very echogenic" not in admin.get(f"/studies/{study}").text  # a draft is its author's own
    assert reader.fetch("POST", f"{opinion}/sign", json={"notes": "x"}).status_code == 422
    stale = reader.fetch("POST", f"{opinion}/sign", json={"diagnosis": "IBM", "seen_answer": "another"})
    assert stale.status_code == 409
    signed = reader.fetch(
        "POST", f"{opinion}/sign", json={"diagnosis": "IBM", "notes": "b", "seen_answer": answer}
    ).json()
    assert signed["signed_at"]
    assert reader.fetch("PUT", opinion, json={"notes": "changed"}).status_code == 409
    amend = f"/api/v1/opinions/{signed['id']}/amend"
    assert admin.fetch("POST", amend, json={"diagnosis": "PM", "reason": "x"}).status_code == 403
    assert reader.fetch("POST", amend, json={"diagnosis": "PM"}).status_code == 422
    new = reader.fetch("POST", amend, json={"diagnosis": "PM", "reason": "biopsy"}).json()
    assert new["amends_id"] == signed["id"]
    page = admin.get(f"/studies/{study}").text
    assert "Replaced by an amendment" in page
    assert "biopsy" in page
    with database.session(writes=False) as session:
        assert [one.diagnosis for one in session.scalars(select(PhysicianReading))] == ["IBM", "PM"]
    assert "Signed" in reader.get("/").text


def test_a_draft_says_which_one_it_replaces(reader, study):
    opinion = f"/api/v1/studies/{study}/opinion"
    assert 'data-version=""' in reader.get(f"/studies/{study}").text
    first = reader.fetch("PUT", opinion, json={"notes": "a", "made_from": ""}).json()["version"]
    assert f'data-version="{first}"' in reader.get(f"/studies/{study}").text
    assert reader.get(opinion).json()["version"] == first
    refused = reader.fetch("PUT", opinion, json={"notes": "b", "made_from": ""})
    assert (refused.status_code, "another window" in refused.json()["detail"]) == (409, True)
    assert reader.fetch("POST", f"{opinion}/sign", json={"diagnosis": "IBM", "made_from": ""}).status_code == 409
    assert reader.fetch("PUT", opinion, json={"notes": "c"}).status_code == 200  # a program that does not ask


@pytest.mark.parametrize("body", [{"heckmatt": {"RD": 9}}, {"heckmatt": {"XX": 1}}, {"notes": "a\0b"}, {"surprise": 1}])
def test_impossible_opinions_are_refused(reader, study, body):
    assert reader.fetch("PUT", f"/api/v1/studies/{study}/opinion", json=body).status_code == 422


def test_a_corrected_site_pools_the_study_again(reader, study, database):
    image = image_ids(database, study)[0]
    assert reader.fetch("PUT", f"/api/v1/images/{image}/site", json={"site": "LT"}).status_code == 200
    view = reader.get(f"/api/v1/studies/{study}", headers={"accept": "application/json"}).json()
    sites = {site["code"]: site for site in view["sites"] if site["images"]}
    assert set(sites) == {"LT", "LD"}
    assert sites["LT"]["probabilities"]
    with database.session(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "site")).one()
    assert (entry.detail["before"], entry.detail["after"], entry.user) == ("RD", "LT", "ben")
    assert reader.fetch("PUT", f"/api/v1/images/{image}/site", json={"site": "QQ"}).status_code == 422
    assert reader.fetch("PUT", "/api/v1/images/99/site", json={"site": ""}).status_code == 404


def test_a_signature_does_not_cover_a_site_that_was_corrected_after_it(reader, study, database):
    token = {"x-csrf-token": reader.csrf()}
    images = image_ids(database, study)
    assert reader.put(f"/api/v1/images/{images[1]}/site", json={"site": "LB"}, headers=token).status_code == 200
    body = {"diagnosis": "IBM", "heckmatt": {"RD": 2}}
    assert reader.post(f"/api/v1/studies/{study}/opinion/sign", json=body, headers=token).status_code == 200
    assert "Corrections" not in reader.get(f"/studies/{study}/report.html").text
    assert reader.put(f"/api/v1/images/{images[0]}/site", json={"site": "LG"}, headers=token).status_code == 200
    assert "Corrections of muscle or side after the signature: 1;" in reader.get(f"/studies/{study}/report.html").text
    assert "签署之后更正肌肉或侧别：1 次" in reader.get(f"/studies/{study}/report.html?language=zh-CN").text
    bundle = reader.get(f"/studies/{study}/report.fhir.json").json()
    observed = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert {one["status"] for one in observed} == {"preliminary"}


def test_the_api_serves_programs(program, study):
    page = program.get("/api/v1/studies", params={"text": "P001"}).json()
    assert page["total"] == 1
    assert page["rows"][0]["sites"] == 2
    contract = program.get(f"/api/v1/studies/{study}/reading").json()
    assert contract["model"]["name"] == "stanet_s-simulated"
    assert [image["frame"] for image in contract["images"]] == [0, 0]
    assert contract["patients"][0]["patient_id"] == "P001"
    assert {muscle["side"] + muscle["muscle"] for muscle in contract["muscles"]} <= {"RD", "LD"}
    schema = program.get("/api/openapi.json").json()
    assert "/api/v1/studies/{study_id}/opinion/sign" in schema["paths"]
    assert not any(path.startswith(("/studies", "/worklist")) for path in schema["paths"])


def test_the_contract_equals_what_the_reader_says(program, study, study_reader, make_muscle, tmp_path):
    for number, side in ((1, "R"), (2, "L")):
        (tmp_path / f"P001_{side}D_1.png").write_bytes(make_muscle(number))
    expected = study_reader.reader.read(sorted(tmp_path.glob("P001_*.png"), reverse=True)).to_dict()
    found = program.get(f"/api/v1/studies/{study}/reading").json()
    assert found["patients"][0]["probabilities"] == pytest.approx(expected["patients"][0]["probabilities"])
    assert found["patients"][0]["answer"] == expected["patients"][0]["answer"]
    for ours, theirs in zip(found["images"], expected["images"], strict=True):
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"])
        assert set(theirs) - set(ours) == set()


@pytest.mark.parametrize(
    ("form", "starts", "kind"),
    [
        ("html", b"<!doctype html>", "text/html"),
        ("csv", b"\xef\xbb\xbf", "text/csv"),
        ("fhir.json", b"{", "application/fhir+json"),
    ],
)
def test_reports(reader, study, database, form, starts, kind):
    answer = reader.get(f"/studies/{study}/report.{form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.content.lstrip()[:15].lower().startswith(starts)
    assert "P001" not in answer.headers["content-disposition"]
    with database.session(writes=False) as session:
        assert session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "export")).one()["form"] == form
    assert reader.get(f"/studies/{study}/report.exe").status_code in (404, 422)


def test_a_pdf_report(reader, study):
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed")
    answer = reader.get(f"/api/v1/studies/{study}/report.pdf?language=zh-CN")
    assert answer.content.startswith(b"%PDF")


def test_sends_go_to_known_peers_only(reader, study):
    send = {"peer": "nobody@127.0.0.1:104", "kinds": ["sr"]}
    assert reader.fetch("POST", f"/api/v1/studies/{study}/sends", json=send).status_code == 404
    assert reader.get(f"/api/v1/studies/{study}/sends", headers={"accept": "application/json"}).json() == {"items": []}


def test_agreement_and_drift(reader, study):
    assert "No signed readings yet" in reader.get("/agreement").text
    reader.fetch("POST", f"/api/v1/studies/{study}/opinion/sign", json={"diagnosis": "IBM"})
    page = reader.get("/agreement").text
    assert "not defined for these readings" in page or "Cohen" in page
    assert reader.get("/api/v1/agreement", headers={"accept": "application/json"}).json()["readings"] == 1
    drift = reader.get("/drift").text
    assert drift.count('class="chart"') == 6
    assert "Figures by week" in drift
    assert reader.get("/drift?weeks=1").status_code == 422


def test_pages_speak_chinese(reader, study):
    reader.cookies.set("myosono_language", "zh-CN")
    page = reader.get(f"/studies/{study}").text
    assert 'lang="zh-CN"' in page
    for word in ("身体图", "医师意见", "三角肌", "以模拟"):
        assert word in page, word


@pytest.mark.parametrize(("age", "said"), [(55.7, "55 years"), (1.5, "18 months")])
def test_the_page_states_completed_years_or_months(reader, study, database, age, said):
    with database.session() as session:
        session.get_one(Study, study).patient_age = age
    assert f"<dd>{said}</dd>" in reader.get(f"/studies/{study}").text
