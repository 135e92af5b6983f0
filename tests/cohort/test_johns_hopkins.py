"""`PatientData.mat`: the whole import, orientation included, around the real chart and around a made-up one."""

from __future__ import annotations

import numpy as np
import pytest

from myosono.cohort import make_split
from myosono.cohort.importing import import_cohort
from myosono.cohort.readers.base import ReadOptions
from myosono.cohort.readers.charts import PATIENT_CHART, read_chart, read_image_chart
from myosono.cohort.readers.johns_hopkins import JohnsHopkins, crop_b_mode
from myosono.errors import CohortError


@pytest.fixture
def release(tmp_path, make_patient_data, make_screen, small_chart):
    screens = [make_screen(seed)[0] for seed in range(4)]
    return make_patient_data(tmp_path / "PatientData.mat", small_chart, screens)


def test_images_come_out_upright_and_not_mirrored(release, tmp_path, make_screen, small_chart):
    result = import_cohort(release, tmp_path / "out", quiet=True)
    assert (result.reader, result.failures) == ("johns-hopkins", ())
    table = result.cohort.table
    assert table["image_id"].tolist() == small_chart["Image2D"].tolist()
    for position, image_id in enumerate(table["image_id"]):
        image = result.cohort.image(image_id)
        np.testing.assert_array_equal(image, make_screen(position % 4)[1])
    first = result.cohort.image(table["image_id"].iloc[0])
    assert first[:40, :25].mean() > first[:40, 25:].mean() + 50, "mirrored"
    assert first[:100].mean() > first[-100:].mean() + 50, "upside down"


def test_chart_codes_are_read(release, tmp_path):
    result = import_cohort(release, tmp_path / "out", quiet=True)
    table = result.cohort.table
    assert table.groupby("label")["patient_id"].nunique().to_dict() == {"DM": 1, "IBM": 1, "Normal": 1, "PM": 1}
    assert table.loc[table["patient_id"] == "N003", "exam_id"].str.split("-").str[0].unique().tolist() == [
        "N003",
        "N003a",
    ]
    assert set(zip(table["muscle"], table["side"], strict=True)) == {("D", "R"), ("B", "R"), ("FDP", "L")}
    assert set(table["device"]) == {"GE Logiq E"}
    notes = " ".join(result.cohort.info.notes)
    assert "second visits are grouped with the first: N003a" in notes
    assert "5 images are longitudinal views" in notes


def test_same_source_same_content(release, tmp_path):
    first, again = (import_cohort(release, tmp_path / name, quiet=True).cohort for name in "ab")
    assert first.info.content_hash == again.info.content_hash
    assert first.table.equals(again.table)


def test_bad_images_are_listed_and_the_rest_imported(tmp_path, make_patient_data, make_screen, small_chart):
    screens = [make_screen(0)[0], np.zeros((600, 90), np.uint8), np.zeros((100, 90), np.uint8), make_screen(3)[0]]
    file = make_patient_data(tmp_path / "PatientData.mat", small_chart, screens)
    result = import_cohort(file, tmp_path / "out", quiet=True)
    assert len(result.failures) == 10
    assert {item.reason.split(",")[0] for item in result.failures} == {
        "black where the B-mode area should be",
        "100 rows",
    }
    assert result.cohort.info.images == 10
    assert "10 of 20 sources could not be read: see failures.csv" in result.cohort.info.notes
    assert (tmp_path / "out" / "failures.csv").read_text().count("\n") == 11


@pytest.mark.parametrize("keep", [0, 100, 4096, 0.5, 0.98])
def test_truncated_file(release, tmp_path, keep):
    data = release.read_bytes()
    release.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(CohortError, match=r"PatientData\.mat: .*truncated"):
        import_cohort(release, tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


def test_chart_and_images_of_other_length(release, tmp_path):
    import h5py

    with h5py.File(release, "r+") as store:
        cells = store["im"][()][:, :-3]
        del store["im"]
        store.create_dataset("im", data=cells, dtype=h5py.ref_dtype)
    with pytest.raises(CohortError, match="17 images but 20 rows"):
        import_cohort(release, tmp_path / "out", quiet=True)


def test_no_images_no_chart_no_column(release, tmp_path, make_patient_data, make_screen, small_chart):
    import h5py

    with h5py.File(release, "r+") as store:
        del store["im"]
    with pytest.raises(CohortError, match="holds no images"):
        import_cohort(release, tmp_path / "out", quiet=True)
    other = make_patient_data(tmp_path / "b.mat", small_chart.drop(columns="Muscle"), [make_screen(0)[0]])
    with pytest.raises(CohortError, match="lacks the column 'Muscle'"):
        import_cohort(other, tmp_path / "out", quiet=True)
    wrong = make_patient_data(tmp_path / "c.mat", small_chart.assign(Diagnosis="X"), [make_screen(0)[0]])
    with pytest.raises(CohortError, match="unknown diagnosis 'X'"):
        import_cohort(wrong, tmp_path / "out", quiet=True)
    with pytest.raises(CohortError, match="'patient_chart'"):
        read_chart(release, PATIENT_CHART)


def test_crop_ignores_ticks_and_bridges_dark_columns(make_screen):
    screen, area = make_screen(1, width=120)
    screen[61:559, 60:63] = 0
    assert crop_b_mode(screen).shape == area.shape


def test_real_samples_keep_their_width(shared):
    from PIL import Image

    # Two of the published crops begin with columns that are black already, which the rule leaves out.
    for name, black in (("sample_0", 0), ("sample_2", 2), ("sample_4", 1)):
        sample = np.asarray(Image.open(shared / "myositis_samples" / f"{name}.png"))
        screen = np.zeros((600, 640), np.uint8)
        screen[61:559, 80 : 80 + sample.shape[1]] = sample
        cropped = crop_b_mode(screen)
        np.testing.assert_array_equal(cropped, sample[:, black:])


def test_real_chart(meta):
    chart = read_image_chart(meta / "im_muscle_chart.mat")
    assert len(chart) == 2752
    assert chart["image_id"].is_unique
    assert chart.groupby("patient_id")["label"].nunique().max() == 1
    # 68 identifiers, 6 of them second visits (N038a) of a patient who is there too.
    assert chart["patient_id"].nunique() == 62
    patients = read_chart(meta / "patient_chart.mat", PATIENT_CHART)
    assert patients["Diagnosis"].value_counts().to_dict() == {"N": 33, "I": 18, "P": 11, "D": 6}
    notes = JohnsHopkins().read(meta / "im_muscle_chart.mat", ReadOptions(metadata_only=True)).notes
    assert any("2,752 images, where the published release has 3,214" in note for note in notes)


@pytest.mark.slow
def test_whole_import_around_the_real_chart(meta, tmp_path, make_patient_data, make_screen):
    screens = [make_screen(seed, width=34, margin=12)[0] for seed in range(5)]
    file = make_patient_data(tmp_path / "PatientData.mat", meta / "im_muscle_chart.mat", screens)
    result = import_cohort(tmp_path, tmp_path.with_name(f"{tmp_path.name}-out"), quiet=True)
    assert result.reason == f"it holds {file.name}"
    assert (result.cohort.info.images, result.cohort.info.patients, result.failures) == (2752, 62, ())
    row = result.cohort.table.iloc[7]
    np.testing.assert_array_equal(result.cohort.image(row["image_id"]), make_screen(2, width=34, margin=12)[1])
    assert not make_split(result.cohort.table, "patient").leaks
