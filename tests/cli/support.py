"""What the tests of the command line share: running the program in a folder of its own, and reading what it wrote. Standard library
only. A test file ends with `support.main()` and is run as

    FILE.py BRUME [CLASS]

with exit code 77 when everything in it was skipped. The driver comes from VK_DRIVER_FILES, as for any program."""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODEL = SOURCE / "assets/models/emoji"
# Fits CPU drivers under the validation layers; a hang is a failure.
TIMEOUT = 600
SKIPPED = 77


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.err.decode("utf-8", "replace")


class Case(unittest.TestCase):
    """Each test has an empty folder, which is the current one of the programs it runs."""

    brume = None

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="brume-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def environment(self, extra):
        env = dict(os.environ, **(extra or {}))
        return {key: value for key, value in env.items() if value is not None}

    def run_brume(self, *args, env=None, prefix=(), **options):
        command = [*prefix, self.brume, *args]
        done = subprocess.run(command, cwd=self.dir, env=self.environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, **options)
        return Result(done.returncode, done.stdout, done.stderr)

    def files(self):
        return sorted(str(path.relative_to(self.dir)) for path in self.dir.rglob("*"))

    def succeeds(self, *args, **options):
        result = self.run_brume(*args, **options)
        self.assertEqual(result.code, 0, result.text)
        self.assertNotIn("brume: error:", result.text)
        return result

    def check_failure(self, result, code, contains):
        """The rules for everything that goes wrong: one line that says what, nothing on stdout."""
        lines = result.text.splitlines()
        errors = [line for line in lines if "brume: error: " in line]
        self.assertEqual(result.code, code, result.text)
        self.assertEqual(len(errors), 1, result.text)
        self.assertEqual(lines[-1], errors[0], "the error is the last line")
        self.assertTrue(errors[0].startswith("brume: error: "), errors[0])
        self.assertTrue(result.err.endswith(b"\n"))
        self.assertEqual(result.out, b"")
        for words in [contains] if isinstance(contains, str) else contains:
            self.assertIn(words, errors[0])
        return errors[0]

    def fails(self, *args, code=1, contains="", alone=True, **options):
        """`alone`: it fails before there is anything else to say."""
        before = self.files()
        result = self.run_brume(*args, **options)
        error = self.check_failure(result, code, contains)
        if alone:
            self.assertEqual(result.text, error + "\n")
        self.assertEqual(self.files(), before, "something was left behind")
        return error

    def model(self, *replaced):
        """A copy of the model that comes with Brume, in "model"; the paths in `replaced` are left out."""
        folder = self.dir / "model"
        shutil.rmtree(folder, ignore_errors=True)
        for path in MODEL.rglob("*"):
            name = path.relative_to(MODEL)
            if path.is_dir():
                (folder / name).mkdir(parents=True, exist_ok=True)
            elif str(name) not in replaced:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).symlink_to(path)
        return folder

    def start(self, *args, **options):
        process = subprocess.Popen([self.brume, *args], cwd=self.dir, env=self.environment(None), stdin=subprocess.DEVNULL, **options)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process


def namespace_prefix(mount):
    """A command prefix that runs the rest after `mount`, in a mount namespace of its own; None where that is not permitted."""
    for unshare in (["unshare", "-m"], ["unshare", "-Urm"]):
        prefix = [*unshare, "sh", "-c", mount + ' && exec "$@"', "sh"]
        try:
            if subprocess.run([*prefix, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return prefix
        except OSError:
            pass
    return None


def read_npy(path):
    """(dtype, shape, values)"""
    data = pathlib.Path(path).read_bytes()
    assert data[:6] == b"\x93NUMPY", path
    size = struct.unpack_from("<H" if data[6] == 1 else "<I", data, 8)[0]
    start = 8 + (2 if data[6] == 1 else 4)
    header = data[start:start + size].decode()
    dtype = re.search(r"'descr': '([^']*)'", header).group(1)
    assert "'fortran_order': False" in header, header
    shape = tuple(int(n) for n in re.findall(r"\d+", re.search(r"'shape': \(([^)]*)\)", header).group(1)))
    values = struct.unpack(f"<{len(data[start + size:]) // 4}{'f' if dtype == '<f4' else 'i'}", data[start + size:])
    return dtype, shape, values


def write_npy(path, shape, values, dtype="<f4"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    body = struct.pack(f"<{len(values)}{'f' if dtype == '<f4' else 'i'}", *values)
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body)


def png_chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG"
    position, chunks = 8, []
    while position < len(data):
        length = struct.unpack_from(">I", data, position)[0]
        kind, body = data[position + 4:position + 8], data[position + 8:position + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, position + 8 + length)[0], "checksum"
        chunks.append((kind.decode(), body))
        position += 12 + length
    assert chunks[-1][0] == "IEND", "cut short"
    return chunks


def paeth(a, b, c):
    nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))
    return nearest[2]


def read_png(path):
    """(width, height, RGB bytes)"""
    chunks = png_chunks(pathlib.Path(path).read_bytes())
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[0][1])
    assert (depth, colour) == (8, 2), "expected 8-bit RGB"
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == "IDAT"))
    stride, rows, above = width * 3, [], bytes(width * 3)
    for y in range(height):
        kind, row = data[y * (stride + 1)], bytearray(data[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            left, corner = (row[x - 3], above[x - 3]) if x >= 3 else (0, 0)
            row[x] = row[x] + (0, left, above[x], (left + above[x]) // 2, paeth(left, above[x], corner))[kind] & 255
        rows.append(bytes(row))
        above = rows[-1]
    return width, height, b"".join(rows)


def png_text(path, keyword="parameters"):
    for kind, body in png_chunks(pathlib.Path(path).read_bytes()):
        if kind == "tEXt" and body.split(b"\0")[0].decode("latin-1") == keyword:
            return body.split(b"\0", 1)[1].decode("latin-1")
        if kind == "iTXt" and body.split(b"\0")[0].decode("latin-1") == keyword:
            compressed = body[len(keyword) + 1]
            text = body[len(keyword) + 3:].split(b"\0", 2)[2]
            return (zlib.decompress(text) if compressed else text).decode("utf-8")
    return None


def write_png(path, width, height, rgb):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def split_safetensors(path):
    """(header as a dict, tensor data)"""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def join_safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def main():
    Case.brume = str(pathlib.Path(sys.argv[1]).resolve())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromName(sys.argv[2], module) if len(sys.argv) > 2 else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
