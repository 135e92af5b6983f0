"""Uploads through the page: kept or refused file by file, cut off at the limit, never without the page's token."""

from __future__ import annotations


def test_an_upload_is_kept_or_refused_file_by_file(reader, make_muscle):
    upload = reader.fetch("POST", "/api/v1/uploads").json()["upload"]
    address = f"/api/v1/uploads/{upload}/files"
    taken = reader.fetch("POST", address, params={"name": "a/P007_RD_1.png"}, content=make_muscle(1)).json()
    assert [one["new"] for one in taken["accepted"]] == [True]
    again = reader.fetch("POST", address, params={"name": "a/P007_RD_1.png"}, content=make_muscle(1)).json()
    assert [one["new"] for one in again["accepted"]] == [False]
    other = reader.fetch("POST", address, params={"name": "P007_LD_1.png"}, content=make_muscle(2)).json()
    assert other["accepted"][0]["study_id"] == taken["accepted"][0]["study_id"]
    refused = reader.fetch("POST", address, params={"name": "letter.txt"}, content=b"Dear Sir").json()
    assert not refused["accepted"]
    assert "not an image" in refused["refused"][0]["reason"]
    reader.cookies.set("myosono_language", "zh-CN")
    chinese = reader.fetch("POST", address, params={"name": "letter.txt"}, content=b"Dear Sir").json()
    assert "不是 myosono" in chinese["refused"][0]["reason"]
    assert reader.fetch("POST", "/api/v1/uploads/../files", params={"name": "x"}, content=b"x").status_code in (
        404,
        405,
    )
    assert reader.fetch("POST", address, content=b"x").status_code == 422


def test_an_upload_beyond_the_limit_is_cut_off(app, reader, database, make_muscle):
    limits = app.state.settings.uploads.model_copy(update={"file_bytes": 1000})
    app.state.settings = app.state.settings.model_copy(update={"uploads": limits})
    upload = reader.fetch("POST", "/api/v1/uploads").json()["upload"]
    answer = reader.fetch("POST", f"/api/v1/uploads/{upload}/files", params={"name": "a.png"}, content=make_muscle(1))
    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]
    assert not list(app.state.files.root.glob(".upload-*"))


def test_an_upload_needs_the_token_of_our_page(reader, make_muscle):
    answer = reader.post("/api/v1/uploads", headers={"accept": "application/json"})
    assert answer.status_code == 403
