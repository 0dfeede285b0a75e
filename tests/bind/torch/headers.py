"""The headers of a version of PyTorch that is not installed: out of its wheel, of which only they
are fetched.

usage: headers.py VERSION    prints the folder
"""

import contextlib
import io
import os
import pathlib
import shutil
import sys
import tempfile
import zipfile

INCLUDE = "torch/include/"


class Unavailable(Exception):
    """Says why."""


def folder_of(version):
    """Where torch/include of that version lies; fetched first where need be."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "rondo-tests" / f"torch-headers-{version}"
    if not folder.exists():
        try:
            with _find(version) as (address, session):
                _fetch(_Remote(address, session), folder)
        except Exception as error:  # of pip, of the network, of the index
            raise Unavailable(f"the headers of PyTorch {version}: {error!r}") from error
    return folder


@contextlib.contextmanager
def _find(version):
    """The wheel's address, and the session to fetch it: as pip is configured here."""
    # Not everywhere, and where it is, its insides may be others.
    from pip._internal.commands import create_command
    from pip._vendor.packaging.specifiers import SpecifierSet

    command = create_command("download")
    options, _ = command.parse_args(["--only-binary=:all:", "torch"])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = finder.find_best_candidate("torch", SpecifierSet(f"=={version}")).best_candidate
        if found is None:
            raise LookupError("pip finds no wheel of it")
        yield found.link.url_without_fragment, session


class _Remote(io.RawIOBase):
    """A file of which only what is read is fetched, with what stands beside it."""

    def __init__(self, address, session):
        super().__init__()
        self.get = lambda begin, end: session.get(
            address, headers={"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"},
            timeout=300)
        first = self.get(0, 1)
        if first.status_code != 206:
            raise OSError(f"{address}: status {first.status_code} instead of a part")
        self.size = int(first.headers["Content-Range"].rpartition("/")[2])
        self.begin, self.bytes, self.at = 0, b"", 0

    def fetch(self, begin, end):
        self.begin, self.bytes = begin, self.get(begin, end).content

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer):
        count = min(len(buffer), self.size - self.at)
        if not self.begin <= self.at <= self.at + count <= self.begin + len(self.bytes):
            self.fetch(self.at, self.at + count)
        first = self.at - self.begin
        buffer[:count] = self.bytes[first:first + count]
        self.at += count
        return count


def _fetch(remote, folder):
    wheel = zipfile.ZipFile(remote)
    headers = [entry for entry in wheel.infolist() if entry.filename.startswith(INCLUDE)]
    # They lie together; all in one piece.
    last = max(headers, key=lambda entry: entry.header_offset)
    remote.fetch(min(entry.header_offset for entry in headers),
                 last.header_offset + last.compress_size + (1 << 12))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        wheel.extractall(made, headers)
        try:
            os.rename(pathlib.Path(made) / "torch", folder)
        except OSError:  # somebody else was faster
            shutil.rmtree(made, ignore_errors=True)
            if not folder.exists():
                raise


if __name__ == "__main__":
    print(folder_of(sys.argv[1]))
