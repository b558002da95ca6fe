"""From Moodle's zip to a folder to grade: every layout, nobody dropped, nothing outside the folder."""

import io
import stat
import zipfile

import pytest

from grading.errors import GradingError
from grading.moodle import archive as batch_archive
from grading.moodle.intake import unpack
from grading.moodle.join import read_join
from grading.moodle.names import place_of
from grading.moodle.worksheet import read_worksheet

LAYOUTS = {
    "folders": "Ann Lee_11_assignsubmission_file/my lab.zip",
    "folders before 4.1": "Ann Lee_11_assignsubmission_file_/my lab.zip",
    "subfolder": "Ann Lee_11_assignsubmission_file/week 1/my lab.zip",
    "flat": "Ann Lee_11_assignsubmission_file_my lab.zip",
    "packed again in a folder": "downloaded/Ann Lee_11_assignsubmission_file/my lab.zip",
    "user name in front": "s123 Ann Lee_11_assignsubmission_file/my lab.zip",
    "blind": "Participant_11_assignsubmission_file/my lab.zip",
}


@pytest.mark.parametrize("member", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_zip_and_its_student(member, moodle_zip, sheet, small_zip, tmp_path):
    worksheet = read_worksheet(sheet({"number": 11, "name": "Ann Lee", "email": "ann@uni.example", "id_number": "0042"}))
    batch = unpack(moodle_zip({member: small_zip}), tmp_path / "in", worksheet)
    [row] = batch.rows
    assert (row.identifier, row.name, row.email, row.id_number) == ("11", "Ann Lee", "ann@uni.example", "0042")
    assert row.handed_in.endswith("my lab.zip") and row.note == ""
    [file] = (tmp_path / "in" / "submissions").iterdir()
    assert file.name == row.file and file.read_bytes() == small_zip
    assert read_join(tmp_path / "in" / "join.csv") == [row]


def test_a_groups_zip_is_each_members(moodle_zip, sheet, small_zip, tmp_path):
    """The group's id is the number of Eve, who is in no group: it must not become hers."""
    people = [
        {"number": 11, "name": "Ann Lee", "group": "Team Ä"},
        {"number": 12, "name": "Bob Ray", "group": "Team Ä"},
        {"number": 5, "name": "Eve Fox", "group": "Default group"},
    ]
    members = {
        "Team Ä_5_assignsubmission_file/x.zip": small_zip,
        "Default group_assignsubmission_file/y.zip": small_zip,
    }
    batch = unpack(moodle_zip(members), tmp_path / "in", read_worksheet(sheet(*people)))
    files = {row.identifier: row.file for row in batch.rows}
    assert files["11"] == files["12"] == "Team_A_5.zip" and files["5"] == "Default_group_0.zip"
    assert batch.remarks == ()


def test_joined_by_email_or_id_number_where_the_number_is_no_participants(moodle_zip, sheet, small_zip, tmp_path):
    people = [{"number": 11, "email": "ann@uni.example"}, {"number": 12, "id_number": "S77"}, {"number": 13, "name": "Cy Poe"}]
    members = {f"{name}_assignsubmission_file/x.zip": small_zip for name in ("ANN@uni.example_900", "s77 Bob_901", "Cy Poe_902")}
    batch = unpack(moodle_zip(members), tmp_path / "in", read_worksheet(sheet(*people)))
    assert {row.identifier: bool(row.file) for row in batch.rows} == {"11": True, "12": True, "13": True}


def test_nobody_is_dropped(moodle_zip, sheet, small_zip, tmp_path):
    numbers = {"Two Zips": 1, "Loose Files": 2, "Wrote Text": 3, "Nothing": 4}
    members = {
        "Two Zips_1_assignsubmission_file/lab 10.zip": small_zip,
        "Two Zips_1_assignsubmission_file/lab 2.zip": b"not a zip, which the grader will say",
        "Loose Files_2_assignsubmission_file/int8.tflite": b"TFL3",
        "Loose Files_2_assignsubmission_file/manifest.json": b"{}",
        "Wrote Text_3_assignsubmission_onlinetext/onlinetext.html": b"<p>Hello",
        "Somebody Else_9_assignsubmission_file/x.zip": small_zip,
        "readme.txt": b"?",
        "__MACOSX/._x": b"",
    }
    worksheet = read_worksheet(sheet(*({"number": number, "name": name} for name, number in numbers.items())))
    batch = unpack(moodle_zip(members), tmp_path / "in", worksheet)
    rows = {}
    for row in batch.rows:
        rows.setdefault(row.name, []).append(row)
    assert [(row.file, row.handed_in) for row in rows["Two Zips"]] == [
        ("Two_Zips_1-1.zip", "lab 2.zip"),
        ("Two_Zips_1-2.zip", "lab 10.zip"),
    ]
    assert all("grades.csv" in row.note for row in rows["Two Zips"])
    assert rows["Loose Files"][0].note.startswith("Handed in no zip")
    assert rows["Loose Files"][0].handed_in == "int8.tflite, manifest.json"
    assert rows["Wrote Text"][0].handed_in == "text written in Moodle (onlinetext)"
    assert rows["Nothing"][0].note == "Handed in nothing." and not rows["Nothing"][0].file
    assert rows["Somebody Else"][0].file == "Somebody_Else_9.zip"
    assert any("Somebody Else" in remark for remark in batch.remarks)
    assert any("readme.txt" in remark for remark in batch.remarks)
    assert not any("__MACOSX" in remark for remark in batch.remarks)


def test_a_students_file_name_cannot_pass_for_another_student():
    for name in (
        "Eve_1_assignsubmission_file_Bob_2_assignsubmission_file_x.zip",
        "Eve_1_assignsubmission_file/Bob_2_assignsubmission_file/x.zip",
    ):
        assert (place_of(name).name, place_of(name).number) == ("Eve", "1")


@pytest.mark.parametrize(
    "member",
    [
        "Eve_1_assignsubmission_file/../../../escaped.zip",
        "../../Eve_1_assignsubmission_file/escaped.zip",
        "/Eve_1_assignsubmission_file/escaped.zip",
        "..\\Eve_1_assignsubmission_file\\..\\escaped.zip",
        "../.._1_assignsubmission_file_/../escaped.zip",
        "=cmd|'x'!A1_1_assignsubmission_file/<script>.zip",
        "\x1b[31mEve\u202e_1_assignsubmission_file/esc\x1b[2J.zip",
    ],
)
def test_no_name_becomes_a_path_a_formula_or_a_control_code(member, moodle_zip, small_zip, tmp_path):
    archive = moodle_zip({member: small_zip})
    batch = unpack(archive, tmp_path / "in")
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - {archive.name}
    [row] = batch.rows
    assert files == {"in/join.csv", f"in/submissions/{row.file}"} and row.file.removesuffix(".zip").replace("_", "").isalnum()
    assert "\x1b" not in row.handed_in
    table = (tmp_path / "in" / "join.csv").read_text("utf-8-sig")
    assert not any(cell.startswith("=") for line in table.splitlines() for cell in line.split(","))
    assert read_join(tmp_path / "in" / "join.csv") == [row]


def linked(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


def test_a_harmful_file_costs_its_student_only(small_zip, tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Bomb_1_assignsubmission_file/x.zip", bytes(20 * 1024**2))
        archive.writestr(*linked("Link_2_assignsubmission_file/x.zip", "/etc/passwd"))
        archive.writestr("Ann_3_assignsubmission_file/x.zip", small_zip)
        archive.writestr("Torn_4_assignsubmission_file/x.zip", b"abcdefgh" * 100)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        torn = archive.getinfo("Torn_4_assignsubmission_file/x.zip")
    start = torn.header_offset + 30 + len(torn.filename)
    content[start : start + torn.compress_size] = bytes(torn.compress_size)
    path.write_bytes(content)
    rows = {row.name: row for row in unpack(path, tmp_path / "in").rows}
    assert "zip bomb" in rows["Bomb"].note and "link" in rows["Link"].note and "damaged" in rows["Torn"].note
    assert rows["Ann"].file and [one.name for one in (tmp_path / "in" / "submissions").iterdir()] == [rows["Ann"].file]


def test_a_harmful_table_of_contents_stops_everything(moodle_zip, small_zip, tmp_path, monkeypatch):
    good = {f"Ann_{number}_assignsubmission_file/x.zip": small_zip for number in range(3)}
    whole = moodle_zip(good).read_bytes()
    cases = {"empty": b"", "text": b"hello", "cut off": whole[:-30], "one submission": small_zip}
    stream = io.BytesIO(whole)
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(next(iter(good)), b"again")
    cases["twice"] = stream.getvalue()
    # Two entries of the table of contents point at the same 64 kB.
    once = io.BytesIO()
    with zipfile.ZipFile(once, "w") as archive:
        archive.writestr("A_1_assignsubmission_file/x.zip", bytes(65536))
        twin = zipfile.ZipInfo("A_2_assignsubmission_file/x.zip")
        original = archive.infolist()[0]
        twin.header_offset, twin.CRC, twin.file_size, twin.compress_size = 0, original.CRC, 65536, 65536
        archive.filelist.append(twin)
    cases["shared bytes"] = once.getvalue()
    for name, content in cases.items():
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(GradingError, match=r"bad\.zip"):
            unpack(tmp_path / "bad.zip", tmp_path / name)
        assert not (tmp_path / name).exists()
    monkeypatch.setattr(batch_archive, "BATCH", batch_archive.BatchLimits(files=2))
    with pytest.raises(GradingError, match="group by group"):
        unpack(moodle_zip(good), tmp_path / "many")
    with pytest.raises(GradingError, match="No such file"):
        unpack(tmp_path / "absent.zip", tmp_path / "absent")


def test_an_earlier_class_in_the_folder_is_not_mixed_in(moodle_zip, small_zip, tmp_path):
    archive = moodle_zip({"Ann_1_assignsubmission_file/x.zip": small_zip})
    unpack(archive, tmp_path / "in")
    with pytest.raises(GradingError, match="holds files already"):
        unpack(archive, tmp_path / "in")


def test_a_file_keeps_the_time_of_handing_in(small_zip, tmp_path):
    """It says which of several in one name came first. A date that no calendar has does no harm."""
    import datetime

    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, date in (("Ann Lee_1", (2026, 11, 2, 9, 30, 0)), ("Bob Ray_2", (2026, 2, 31, 9, 30, 0))):
            archive.writestr(zipfile.ZipInfo(f"{name}_assignsubmission_file/lab.zip", date), small_zip)
    unpack(tmp_path / "all.zip", tmp_path / "in")
    ann, bob = sorted((tmp_path / "in" / "submissions").iterdir())
    assert ann.stat().st_mtime == datetime.datetime(2026, 11, 2, 9, 30).timestamp()
    assert bob.stat().st_mtime > datetime.datetime(2026, 11, 3).timestamp()
