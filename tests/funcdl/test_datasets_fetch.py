"""Downloads from a server that the tests run themselves."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest

from funcdl import datasets
from funcdl.datasets import DatasetError, cifar, files, sound
from tests.funcdl.test_datasets_images import as_binary, cifar_arrays, idx, mnist_arrays
from tests.funcdl.test_datasets_sound import write

mnist_module = sys.modules["funcdl.datasets.mnist"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder that is served, and its address."""
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_fetch(site, tmp_path):
    folder, url = site
    (folder / "a.bin").write_bytes(b"content")
    path = datasets.fetch(f"{url}a.bin", tmp_path / "new" / "cache", checksum=sha256(b"content"))
    assert path == tmp_path / "new" / "cache" / "a.bin"
    assert path.read_bytes() == b"content"
    (folder / "a.bin").unlink()
    checksum = f"md5:{hashlib.md5(b'content').hexdigest()}"
    assert datasets.fetch(f"{url}a.bin", path.parent, checksum=checksum) == path


def test_a_download_of_another_checksum_is_not_kept(site, tmp_path):
    folder, url = site
    (folder / "a.bin").write_bytes(b"changed")
    cache = tmp_path / "cache"
    with pytest.raises(DatasetError) as caught:
        datasets.fetch(f"{url}a.bin", cache, checksum=sha256(b"content"))
    assert str(caught.value).startswith(
        f"datasets.fetch: the file {cache / 'a.bin'} must have the checksum {sha256(b'content')} "
        f"when downloaded from {url}a.bin, got "
    )
    assert list(cache.iterdir()) == []


def test_a_file_of_another_checksum_is_refused_and_stays(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"changed")
    with pytest.raises(DatasetError) as caught:
        datasets.fetch("http://127.0.0.1:9/a.bin", tmp_path, checksum=sha256(b"content"))
    assert str(caught.value) == (
        f"datasets.fetch: the file {path} must have the checksum {sha256(b'content')}, "
        f"got {sha256(b'changed')}; remove the file to download it again"
    )
    assert path.read_bytes() == b"changed"


def test_a_file_that_is_not_on_the_net(site, tmp_path):
    with pytest.raises(OSError, match="404"):
        datasets.fetch(f"{site[1]}none.bin", tmp_path / "cache", checksum=sha256(b""))


def test_mnist_is_fetched(site, tmp_path, monkeypatch):
    folder, url = site
    arrays = mnist_arrays()
    compressed = {name: gzip.compress(idx(array)) for name, array in arrays.items()}
    for name, data in compressed.items():
        (folder / f"{name}.gz").write_bytes(data)
    checksums = {name: f"md5:{hashlib.md5(data).hexdigest()}" for name, data in compressed.items()}
    monkeypatch.setattr(mnist_module, "MNIST_URL", url)
    monkeypatch.setattr(mnist_module, "MNIST_CHECKSUMS", checksums)
    cache = tmp_path / "cache"
    split = datasets.mnist(cache, download=True)
    np.testing.assert_array_equal(split.test[1], arrays["t10k-labels-idx1-ubyte"])
    again = datasets.mnist(cache)
    np.testing.assert_array_equal(again.train[0], split.train[0])
    # The labels of the test set are no longer what they were.
    wrong = cache / "t10k-labels-idx1-ubyte.gz"
    wrong.write_bytes(gzip.compress(idx(np.zeros(3, np.uint8))))
    with pytest.raises(DatasetError) as caught:
        datasets.mnist(cache, download=True)
    assert f"the file {wrong} must have the checksum md5:" in str(caught.value)


def archive_of(entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def serve(monkeypatch, module, site, data):
    folder, url = site
    name = module.ARCHIVE.name
    (folder / name).write_bytes(data)
    monkeypatch.setattr(module, "ARCHIVE", files.Remote(f"{url}{name}", sha256(data)))


def test_cifar10_is_fetched_and_unpacked(site, tmp_path, monkeypatch):
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    batch = cifar_arrays()
    data = archive_of({f"cifar-10-batches-bin/{name}": as_binary(*batch) for name in names})
    serve(monkeypatch, cifar, site, data)
    split = datasets.cifar10(tmp_path / "cache", download=True)
    assert split.train[0].shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(split.test[1], batch[1])
    (site[0] / cifar.ARCHIVE.name).unlink()
    np.testing.assert_array_equal(datasets.cifar10(tmp_path / "cache", download=True).test[1], batch[1])


def test_speech_commands_are_fetched_and_unpacked(site, tmp_path, monkeypatch):
    write(tmp_path / "yes.wav", np.ones(10, np.int16))
    recording = (tmp_path / "yes.wav").read_bytes()
    entries = {f"./yes/{number}.wav": recording for number in range(3)}
    entries |= {"./testing_list.txt": b"yes/2.wav\n", "./validation_list.txt": b"yes/1.wav\n"}
    serve(monkeypatch, sound, site, archive_of(entries))
    result = datasets.speech_commands(tmp_path / "cache", download=True)
    assert [len(part[1]) for part in result[:3]] == [1, 1, 1]
    assert result.words == ("yes",)


def test_an_archive_that_is_cut_off_leaves_nothing(site, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, 100_000, np.uint8).tobytes()
    data = archive_of({"cifar-10-batches-bin/data_batch_1.bin": noise})[:-50_000]
    serve(monkeypatch, cifar, site, data)
    cache = tmp_path / "cache"
    with pytest.raises(DatasetError) as caught:
        datasets.cifar10(cache, download=True)
    archive = cache / cifar.ARCHIVE.name
    start = f"datasets.extract: the file {archive} must be an archive, and whole, got "
    assert str(caught.value).startswith(start)
    assert list(cache.iterdir()) == [archive]


def test_an_archive_writes_nothing_outside(site, tmp_path, monkeypatch):
    serve(monkeypatch, cifar, site, archive_of({"../../outside.txt": b"!"}))
    with contextlib.suppress(DatasetError, FileNotFoundError):
        datasets.cifar10(tmp_path / "a" / "cache", download=True)
    assert not list(tmp_path.rglob("outside.txt"))


def test_the_addresses_and_checksums_are_whole():
    for checksums in (mnist_module.MNIST_CHECKSUMS, mnist_module.FASHION_CHECKSUMS):
        assert {len(checksum) for checksum in checksums.values()} == {len("md5:") + 32}
        assert len(set(checksums.values())) == 4
    assert len(cifar.ARCHIVE.checksum) == len("md5:") + 32
    assert len(sound.ARCHIVE.checksum) == len("sha256:") + 64


def test_without_pooch_the_error_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['pooch'] = None\n"
        "from funcdl import datasets\n"
        f"datasets.mnist({str(tmp_path)!r}, download=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: datasets.fetch: pooch must be installed, got no such module; "
        'run pip install "funcdl[datasets]"'
    )
