"""WARC files that were damaged where the reader has long begun a record: in a large one, or near the end of a file."""

import base64
import random
from pathlib import Path

import pytest

from harvest.redact import Erasure, Words
from harvest.rewrite import Course
from harvest.warc import WarcWriter, check_file, read_record, read_records
from store.records import ArchiveError, Evidence

#: So much that packed it takes several of the blocks in which a file is read.
LARGE = base64.b64encode(random.Random(0).randbytes(200_000))

TEXT = "The goat ate Jo's best cheese."


def write(folder: Path) -> tuple[Path, list[Evidence]]:
    """A file of three records, of which the second is large."""
    writer = WarcWriter(folder, {"software": "test"})
    writer.begin_page()
    bodies = (TEXT.encode(), LARGE, f"Again: {TEXT}".encode())
    places = [
        writer.resource(f"urn:test:{n}", "text/plain", body, date="2026-01-01T00:00:00Z")
        for n, body in enumerate(bodies)
    ]
    writer.close()
    return next(folder.glob("*.warc.gz")), places


def damage(path: Path, offset: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes(40))


@pytest.mark.parametrize("behind", [20, 1_000, 60_000, 140_000])
def test_a_large_record_that_is_damaged_costs_no_other(
    behind: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, (first, hurt, last) = write(tmp_path)
    damage(path, hurt.offset + behind)
    found = {record.record_id for record in read_records(path, frozenset({"resource"}))}
    assert found == {first.record_id, last.record_id}
    check = check_file(path)
    assert check.problems == [f"offset {hurt.offset}: damaged"]
    assert {first.record_id, last.record_id} <= set(check.digests) and hurt.record_id not in check.digests
    with pytest.raises(ValueError, match=f"no whole record at offset {hurt.offset}"):
        read_record(path, hurt.offset)
    assert read_record(path, last.offset).payload.decode() == f"Again: {TEXT}"
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_damaged_is_not_written_again_without_what_lies_behind(tmp_path: Path) -> None:
    path, (_, hurt, _) = write(tmp_path)
    damage(path, hurt.offset + 60_000)
    target = tmp_path / "again"
    with pytest.raises(ArchiveError, match=f"beyond byte {hurt.offset}"):
        Course("r1", Erasure(words=(Words(TEXT),))).without(path, target)
    assert not target.exists()


def test_a_record_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path, (_, hurt, _) = write(tmp_path)
    with path.open("r+b") as stream:
        stream.truncate(hurt.offset + 60_000)
    assert check_file(path).problems == [f"offset {hurt.offset}: damaged, nothing can be read from here on"]
    assert [record.uri for record in read_records(path, frozenset({"resource"}))] == ["urn:test:0"]
