"""A study page while some of its images are read and others wait, cannot be decoded, or are of no known site."""

from __future__ import annotations


def test_the_study_page_shows_images_in_every_state(reader, take, worker, make_muscle) -> None:
    study = take(make_muscle(1), "P001_RD_1.png").study
    take(make_muscle(2), "holiday.png")
    take(make_muscle(3)[:3000], "P001_RB_1.png")
    for waiting in range(3, -1, -1):
        answer = reader.get(f"/studies/{study.id}")
        assert answer.status_code == 200, f"{waiting} images wait"
        assert "holiday.png" in answer.text
        worker.run_once()


def test_no_picture_is_decoded_that_the_reading_process_has_not(reader, take, worker, make_muscle) -> None:
    image = take(make_muscle(1), "P001_RD_1.png").image
    pictures = (f"/images/{image.id}/frames/0.png", f"/images/{image.id}/thumbnail.webp")
    assert [reader.get(picture).status_code for picture in pictures] == [404, 404]
    worker.run_once()
    assert [reader.get(picture).status_code for picture in pictures] == [200, 200]
