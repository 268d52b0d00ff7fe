"""Result files and what replaces files: damage is told, never read; no scratch file stays; rights are the user's."""

import io
import json
import os
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polepair as pp
from polepair import files
from polepair.files import replacing, write_text
from polepair.live.estimation import read_record
from polepair.run import saved

SUFFIXES = (".npz", ".parquet")


def result(rows=7):
    block = np.arange(3.0 * rows).reshape(rows, 3) * 0.1
    return pp.Result(("time", "omega_m", "torque"), block, {"motor": "x"})


@pytest.fixture(scope="module", params=SUFFIXES)
def kept(request, tmp_path_factory):
    """A saved result and its bytes."""
    path = tmp_path_factory.mktemp("kept") / f"r{request.param}"
    result().save(path)
    return path, path.read_bytes()


def load_or_one_line(path):
    """What is loaded, or None for a FileError of one line."""
    try:
        return pp.Result.load(path)
    except pp.FileError as e:
        assert str(e).isprintable() and str(path) in str(e)
        return None


def assert_the_same(found):
    want = result()
    assert found.names == want.names and np.array_equal(found.block, want.block) and found.about["motor"] == "x"


def test_any_flipped_bit_is_told_or_harmless(kept):
    """Every third bit of the file, one after the other: the same result or one line."""
    path, whole = kept
    other = path.with_stem("flipped")
    told = 0
    for at in range(0, 8 * len(whole), 3):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        other.write_bytes(data)
        found = load_or_one_line(other)
        told += found is None
        if found is not None:
            assert_the_same(found)
    assert told > len(whole) / 2


@given(data=st.data())
def test_cuts_insertions_and_noise(kept, data):
    path, whole = kept
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, len(whole)))
    noise = data.draw(st.binary(max_size=30))
    other = path.with_stem("cut")
    other.write_bytes(whole[:first] + noise + whole[last:])
    found = load_or_one_line(other)
    if found is not None:
        assert_the_same(found)


floats = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(values=st.lists(st.tuples(floats, floats), max_size=20))
def test_any_doubles_come_back(tmp_path_factory, suffix, values):
    block = np.array(values, dtype=float).reshape(len(values), 2)
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    pp.Result(("a", "b"), block).save(path)
    found = pp.Result.load(path)
    assert np.array_equal(found.block, block, equal_nan=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_nans_and_zeros_keep_their_digest(tmp_path, suffix):
    odd = np.frombuffer(np.array([0x7FF8000000000001, 0xFFF8000000000123, 1 << 63], "<u8").tobytes(), float)
    block = np.column_stack([odd, [0.0, -0.0, 0.0]])
    pp.Result(("a", "b"), block).save(tmp_path / f"r{suffix}")
    assert np.array_equal(pp.Result.load(tmp_path / f"r{suffix}").block, block, equal_nan=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", [np.float32, int, ">f8"])
def test_other_numbers_are_kept_as_doubles(tmp_path, suffix, kind):
    block = np.asfortranarray(np.arange(6).reshape(3, 2).astype(kind))
    pp.Result(("a", "b"), block).save(tmp_path / f"r{suffix}")
    found = pp.Result.load(tmp_path / f"r{suffix}").block
    assert found.dtype == float and np.array_equal(found, block)


def about(**more):
    return np.array(json.dumps({"format": 1, "units": {}, **more}))


def old(**changes):
    """The arrays of a file from before digests, changed."""
    arrays = {"names": np.array(["a", "b"]), "block": np.ones((3, 2)), "about": about(), **changes}
    return {k: v for k, v in arrays.items() if v is not None}


def test_files_from_before_digests_open(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    np.savez(tmp_path / "r.npz", **old())
    table = pa.table({"a": np.ones(3), "b": np.ones(3)}).replace_schema_metadata({"polepair": str(about())})
    pq.write_table(table, tmp_path / "r.parquet")
    np.savez(tmp_path / "f.npz", **old(block=np.asfortranarray(np.ones((3, 2)))))
    for name in ("r.npz", "r.parquet", "f.npz"):
        found = pp.Result.load(tmp_path / name)
        assert found.names == ("a", "b") and np.array_equal(found.block, np.ones((3, 2)))


CRAFTED = {
    "names too many": {"names": np.array(["a", "b", "c"])},
    "names twice": {"names": np.array(["a", "a"])},
    "names are numbers": {"names": np.arange(2)},
    "names 2-D": {"names": np.array([["a", "b"]])},
    "no names": {"names": np.array([], dtype="U1"), "block": np.ones((3, 0))},
    "block 1-D": {"block": np.ones(3)},
    "block 3-D": {"block": np.ones((3, 2, 1))},
    "block of floats": {"block": np.ones((3, 2), np.float32)},
    "block of integers": {"block": np.ones((3, 2), int)},
    "block complex": {"block": np.ones((3, 2), complex)},
    "block of text": {"block": np.array([["a", "b"]])},
    "objects": {"block": np.array([[None, {}]])},
    "records": {"block": np.zeros(3, [("a", float)])},
    "about a list": {"about": np.array("[]")},
    "about a number": {"about": np.array("5")},
    "about no JSON": {"about": np.array("{")},
    "about deep": {"about": np.array("[" * 10_000)},
    "about an array": {"about": np.array(["{}"])},
    "about a float": {"about": np.array(1.0)},
    "another format": {"about": np.array('{"format": [1]}')},
    "format with escapes": {"about": np.array('{"format": "\\u001b[2J"}')},
    "failed a number": {"about": about(failed=5)},
    "failed of numbers": {"about": about(failed=[5])},
    "one more array": {"more": np.ones(3)},
    "one less": {"block": None},
    "another digest": {"digest": np.array("0" * 32)},
    "a digest of numbers": {"digest": np.arange(3)},
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files(tmp_path, name):
    np.savez(tmp_path / "r.npz", **old(**CRAFTED[name]))
    assert load_or_one_line(tmp_path / "r.npz") is None
    with pytest.raises(pp.FileError):
        pp.load_table(tmp_path / "r.npz")


def npy(shape, descr="<f8", data=b""):
    """An array file with any header."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue() + data


@pytest.mark.parametrize(
    "member",
    [npy((10**12, 2)), npy((-1, 2)), npy((2, 2), data=b"x" * 31), npy((2, 2), data=b"x" * 33), b"", b"\x93NUMPY"],
)
def test_headers_that_lie(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "r.npz", "w") as z:
        for name, array in old(block=None).items():
            with z.open(f"{name}.npy", "w") as f:
                np.lib.format.write_array(f, array)
        z.writestr("block.npy", member)
    assert load_or_one_line(tmp_path / "r.npz") is None
    with pytest.raises(pp.FileError):
        read_record(tmp_path / "r.npz")


@pytest.mark.parametrize("reader", [pp.Result.load, read_record])
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch, reader):
    """What would not fit is refused before a byte of it is unpacked."""
    with zipfile.ZipFile(tmp_path / "r.npz", "w", zipfile.ZIP_DEFLATED) as z, z.open("block.npy", "w") as f:
        f.write(npy((40_000_000, 1)))
        for _ in range(320):
            f.write(bytes(1_000_000))
    assert (tmp_path / "r.npz").stat().st_size < 1 << 20
    monkeypatch.setattr(saved, "free_memory", lambda: 3e8)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(pp.FileError, match=r"its numbers need 0.3 GB and 0.3 GB are free"):
        reader(tmp_path / "r.npz")


def test_a_parquet_bomb_is_not_unpacked(tmp_path, monkeypatch):
    pp.Result(("a",), np.zeros((40_000_000, 1))).save(tmp_path / "r.parquet")
    assert (tmp_path / "r.parquet").stat().st_size < 1 << 20
    monkeypatch.setattr(saved, "free_memory", lambda: 3e8)
    with pytest.raises(pp.FileError, match=r"its numbers need 0.3 GB"):
        pp.Result.load(tmp_path / "r.parquet")


def test_parquet_pages_have_checksums(tmp_path):
    """Without the digest, a page that was damaged is still told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = result(500)
    saved.write_parquet(tmp_path / "r.parquet", made.names, ["", "", ""], made.block, str(about()))
    with pq.ParquetFile(tmp_path / "r.parquet") as file:
        page = file.metadata.row_group(0).column(1).data_page_offset
    data = bytearray((tmp_path / "r.parquet").read_bytes())
    data[page + 200] ^= 4
    (tmp_path / "r.parquet").write_bytes(data)
    with (
        pytest.raises(OSError, match="CRC|checksum"),
        pq.ParquetFile(tmp_path / "r.parquet", page_checksum_verification=True) as file,
    ):
        file.read()
    assert load_or_one_line(tmp_path / "r.parquet") is None and pa


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,a\n1,2\nx,3\n", "could not convert string 'x'"),
        ("time,a\n1,2\n3\n", "number of columns changed"),
        ("time,a\n1\n", "1 columns, expected 2"),
        ("time,a\n1,\n", "could not convert"),
        ("time,a\n1,0x10\n", "could not convert"),
        ("time,time\n1,2\n", "different names"),
        ("time,,a\n1,2,3\n", "different names"),
        ("", "different names"),
        ("time,a\n1,2\x1b[2J\n", "could not convert"),
    ],
)
def test_bad_csv_records(tmp_path, text, message):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(pp.FileError, match=message) as e:
        read_record(tmp_path / "r.csv")
    assert str(e.value).isprintable()


def test_csv_records(tmp_path):
    (tmp_path / "r.csv").write_text("# time [s], u_alpha [V]\n\n1, 2\n# a remark\n3,nan\n")
    found = read_record(tmp_path / "r.csv")
    assert list(found) == ["time", "u_alpha"] and np.array_equal(found["u_alpha"], [2, np.nan], equal_nan=True)
    result().save(tmp_path / "r.csv")
    assert np.allclose(read_record(tmp_path / "r.csv")["omega_m"], result()["omega_m"])
    assert list(read_record(tmp_path / "r.csv")) == ["time", "omega_m", "torque"]
    (tmp_path / "e.csv").write_text("time,a\n")
    assert read_record(tmp_path / "e.csv")["a"].shape == (0,)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_rights_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        for suffix in (".npz", ".parquet", ".csv"):
            result().save(tmp_path / f"r{suffix}")
        write_text(tmp_path / "r.txt", "x")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {mode}


def test_a_private_file_stays_private(tmp_path):
    write_text(tmp_path / "r.txt", "old")
    (tmp_path / "r.txt").chmod(0o600)
    write_text(tmp_path / "r.txt", "new")
    assert stat.S_IMODE((tmp_path / "r.txt").stat().st_mode) == 0o600


def test_a_link_is_followed_to_its_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("deep/real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "deep" / "real.txt").read_text() == "new"
    (tmp_path / "dangling.txt").symlink_to("deep/new.txt")
    write_text(tmp_path / "dangling.txt", "new")
    assert (tmp_path / "deep" / "new.txt").read_text() == "new"


def test_what_is_no_plain_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    for name in ("pipe.txt", "folder.txt"):
        with pytest.raises(pp.FileError, match="not a plain file"):
            write_text(tmp_path / name, "x")
    with pytest.raises(pp.FileError, match="name of a file"):
        write_text("a\0b", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe.txt").stat().st_mode)
    if os.geteuid() == 0:
        (tmp_path / "link.txt").symlink_to(tmp_path / "other")
        os.chown(tmp_path / "link.txt", 12345, 12345, follow_symlinks=False)
        with pytest.raises(pp.FileError, match="a link that belongs to somebody else"):
            write_text(tmp_path / "link.txt", "x")


def test_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    done = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(fd):
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_sync(fd)

    def replace(*names):
        done.append("rename")
        real_replace(*names)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    write_text(tmp_path / "r.txt", "x")
    assert done == ["file", "rename", "folder"]


WRITER = """
import sys, time
from polepair.files import replacing
with replacing(sys.argv[1]) as scratch:
    scratch.write_text("half")
    print("there", flush=True)
    time.sleep(600)
"""


def test_scratch_files_of_the_killed_are_taken_away(tmp_path, monkeypatch):
    """And those of the living are not."""
    target = tmp_path / "r.txt"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE) for _ in range(3)]
    try:
        for w in writers:
            assert w.stdout.readline() == b"there\n"
        left = {p.name for p in tmp_path.iterdir()}
        assert len(left) == 3
        for w in writers[:2]:
            w.kill()
            w.wait()
        monkeypatch.setattr(files, "_swept", set())
        write_text(target, "whole")
        assert len({p.name for p in tmp_path.iterdir()} & left) == 1 and target.read_text() == "whole"
    finally:
        for w in writers:
            w.kill()
            w.wait()
            w.stdout.close()


def test_what_only_looks_like_a_scratch_file_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_swept", set())
    for name in (".polepair-notes", ".polepair-0123456789abcdef-x", "polepair-0123456789abcdef"):
        (tmp_path / name).write_text("mine")
    (tmp_path / ".polepair-0123456789abcdef").symlink_to(tmp_path / ".polepair-notes")
    write_text(tmp_path / "r.txt", "x")
    assert len(list(tmp_path.iterdir())) == 5


def test_devices_have_no_size():
    with pytest.raises(pp.FileError, match="expected at most"):
        files.read_text(files.Path("/dev/zero"), 1000)


def test_an_interrupt_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "r.txt", "old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "r.txt") as scratch:
        scratch.write_text("half")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["r.txt"] and (tmp_path / "r.txt").read_text() == "old"
