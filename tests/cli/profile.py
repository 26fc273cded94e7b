"""profile and --profile: the figures of one run, looked at in every form in which they are written."""

import html.parser
import shutil
import sqlite3
import subprocess

import support

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def seconds(text):
    number, unit = text.split()
    return float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}[unit]


def by(document, key):
    """{name: [seconds, calls]} over all stages."""
    sums = {}
    for stage in document["stages"]:
        for dispatch in stage["dispatches"]:
            entry = sums.setdefault(key(stage, dispatch), [0, 0])
            entry[0] += dispatch["seconds"]
            entry[1] += dispatch["calls"]
    return sums


def layer_of(path):
    return path.rpartition("/")[0] or path


class Table(html.parser.HTMLParser):
    """The rows of <table id=table> as lists of (text, attributes)."""

    def __init__(self):
        super().__init__()
        self.rows, self.inside, self.cell = [], False, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "table":
            self.inside = attrs.get("id") == "table"
        elif self.inside and tag == "tr":
            self.rows.append([])
        elif self.inside and tag == "td":
            self.cell = [attrs, ""]

    def handle_data(self, data):
        if self.cell:
            self.cell[1] += data

    def handle_endtag(self, tag):
        if tag == "td" and self.cell:
            self.rows[-1].append((self.cell[1], self.cell[0]))
            self.cell = None
        elif tag == "table":
            self.inside = False


class Reports(support.Case):
    def profile(self, *args):
        """The text on stdout and the JSON document of one run, with a.html, a.trace and a.png beside it."""
        result = self.succeeds("profile", "--json", "a.json", "--html", "a.html", "--trace", "a.trace", "--memory=a.png", "--rows", "0", "-q",
                               *args)
        return result.out.decode(), support.json.loads((self.dir / "a.json").read_text())

    def check_document(self, document):
        self.assertEqual((document["format"], document["version"], document["mode"]), ("brume-profile", 1, "serialised"))
        self.assertEqual([stage["name"] for stage in document["stages"]], ["text encoder", "denoising step", "VAE decoder"])
        self.assertIn(document["clock"]["alignment"], ("calibrated", "bounded"))
        for stage in document["stages"]:
            memory = stage["memory"]
            self.assertEqual(stage["calls"], 2)
            self.assertEqual(len(stage["runs"]), 2)
            self.assertEqual(len(memory["live_bytes"]), len(stage["dispatches"]))
            self.assertEqual(max(memory["live_bytes"]), memory["peak_bytes"])
            self.assertLessEqual(memory["peak_bytes"], memory["arena_bytes"])
            self.assertAlmostEqual(sum(d["seconds"] for d in stage["dispatches"]), stage["seconds"], delta=1e-6)
            self.assertLess(stage["seconds"], stage["wall_seconds"])
            for name, offset, size, first, last in memory["values"]:
                self.assertLessEqual(offset + size, memory["arena_bytes"], name)
                self.assertTrue(0 <= first <= last < len(stage["dispatches"]), name)
            for dispatch in stage["dispatches"]:
                self.assertLessEqual(dispatch["seconds_min"], dispatch["seconds_max"])
                self.assertIn(dispatch["bound"], ("compute", "memory", ""))

    def check_table(self, text, document):
        """The terminal's tables say what the document says."""
        for title, key in (("stage", lambda s, d: s["name"]), ("layer", lambda s, d: layer_of(d["path"])), ("op", lambda s, d: d["op"])):
            expected = by(document, key)
            lines = text.split(f"\n{title} ", 1)[1].split("\n\n")[0].splitlines()[1:]
            self.assertEqual(len(lines), len(expected))
            for line in lines:
                name = line[:44].strip()
                matches = [other for other in expected if other == name or (name.startswith("...") and other.endswith(name[3:]))]
                self.assertEqual(len(matches), 1, line)
                time, calls = expected[matches[0]]
                words = line[44:].split()
                self.assertAlmostEqual(seconds(" ".join(words[:2])), time, delta=max(1e-3 * time, 6e-9))
                self.assertEqual(int(words[3]), calls)

    def check_trace(self, document):
        """Every event as the format wants it; slices nest; SQL over them gives the document's sums."""
        trace = support.json.loads((self.dir / "a.trace").read_text())
        db = sqlite3.connect(":memory:")
        db.execute("create table slice (tid, name, cat, begin integer, end integer, path, op)")
        for event in trace["traceEvents"]:
            self.assertIn(event["ph"], ("X", "C", "M"))
            self.assertEqual(event["pid"], 1)
            self.assertIsInstance(event["name"], str)
            if event["ph"] == "M":
                self.assertIn(event["name"], ("process_name", "thread_name"))
                continue
            self.assertGreaterEqual(event["ts"], 0)
            if event["ph"] == "C":
                self.assertGreaterEqual(event["args"]["bytes"], 0)
                continue
            begin, args = round(event["ts"] * 1000), event.get("args", {})
            self.assertGreaterEqual(event["dur"], 0)
            db.execute("insert into slice values (?, ?, ?, ?, ?, ?, ?)", (event["tid"], event["name"], event.get("cat"), begin,
                                                                         begin + round(event["dur"] * 1000), args.get("path"), args.get("op")))
        for tid, in db.execute("select distinct tid from slice").fetchall():
            open_until = []
            for begin, end in db.execute("select begin, end from slice where tid = ? order by begin, end desc, rowid", (tid,)).fetchall():
                while open_until and open_until[-1] <= begin:
                    open_until.pop()
                self.assertTrue(not open_until or end <= open_until[-1], "a slice that is neither inside nor outside another")
                open_until.append(end)
        runs = sum(stage["calls"] for stage in document["stages"])
        self.assertEqual(db.execute("select count(*) from slice where cat = 'stage'").fetchone()[0], runs)
        for sql, key in (("path", lambda s, d: d["path"]), ("op", lambda s, d: d["op"])):
            expected = by(document, key)
            rows = db.execute(f"select {sql}, sum(end - begin), count(*) from slice where cat = 'dispatch' group by {sql}").fetchall()
            self.assertEqual(len(rows), len(expected))
            for name, ns, count in rows:
                self.assertEqual(count, expected[name][1], name)
                self.assertAlmostEqual(ns * 1e-9, expected[name][0], delta=2e-9 * count)
        # Layers hold their dispatches: as long as these and the gaps between them.
        layers = db.execute("select sum(end - begin) from slice where cat = 'layer' and name = 'unet'").fetchone()[0]
        inside = db.execute("select sum(end - begin) from slice where cat = 'dispatch' and path like 'unet/%'").fetchone()[0]
        self.assertGreaterEqual(layers, inside)

    def check_page(self, document, group, key):
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.dir / 'chromium'}", "--dump-dom",
                   f"file://{self.dir / 'a.html'}#{group}"]
        page = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300, check=True).stdout.decode()
        table = Table()
        table.feed(page)
        rows = [row for row in table.rows if row]
        expected = by(document, key)
        self.assertEqual(len(rows), len(expected))
        total = sum(time for time, _ in expected.values())
        for row in rows:
            cells = {attrs["data-key"]: (text, attrs["data-value"]) for text, attrs in row}
            time, calls = expected[cells["name"][0]]
            self.assertAlmostEqual(float(cells["seconds"][1]), time, delta=1e-9 + 1e-9 * time)
            self.assertAlmostEqual(seconds(cells["seconds"][0]), time, delta=max(1e-3 * time, 6e-9))
            self.assertAlmostEqual(float(cells["share"][0].split()[0]), 100 * time / total, delta=0.006)
            self.assertEqual(int(cells["calls"][0]), calls)

    def test_reports(self):
        text, document = self.profile("--runs", "2")
        self.check_document(document)
        self.check_table(text, document)
        self.check_trace(document)
        width, height, pixels = support.read_png(self.dir / "a.png")
        self.assertEqual(width, 1200)
        self.assertGreater(height, 3 * 300)
        self.assertGreater(len(set(pixels)), 16)
        page = (self.dir / "a.html").read_text()
        for outside in ("https://", "<link", " src="):
            self.assertNotIn(outside, page)
        if not CHROMIUM:
            self.skipTest("chromium is not installed; everything but the page in a browser was checked")
        self.check_page(document, "stage", lambda s, d: s["name"])
        self.check_page(document, "dispatch", lambda s, d: d["path"])


class Command(support.Case):
    def test_compare(self):
        for name in ("a", "b"):
            self.succeeds("profile", "--stage", "text", "--json", f"{name}.json", "--no-roof", "-q")
        text = self.succeeds("profile", "--compare", "a.json", "b.json", "--json", "c.json").out.decode()
        self.assertIn("layer", text)
        change = support.json.loads((self.dir / "c.json").read_text())
        document = support.json.loads((self.dir / "a.json").read_text())
        self.assertEqual({row["name"] for row in change["op"]}, set(by(document, lambda s, d: d["op"])))
        self.assertAlmostEqual(sum(row["before"] for row in change["layer"]), document["stages"][0]["seconds"], delta=1e-6)
        self.assertIsNone(document["roof"])
        changes = [abs(row["change"]) for row in change["layer"]]
        self.assertEqual(changes, sorted(changes, reverse=True))

    def test_architecture(self):
        text = self.succeeds("profile", "--arch", "sd15", "--random-weights", "--stage", "vae", "--size", "8x16", "--mode", "concurrent",
                             "--rows", "0", "--no-roof", "-q").out.decode()
        self.assertIn("vae/decoder/up.3", text)
        self.assertIn("8x16", text)
        self.assertIn("dispatches as they run", text)

    def test_drawing(self):
        result = self.succeeds("txt2img", "x", "--steps", "2", "-s", "1", "-W", "32", "-H", "32", "-o", "plain.png")
        self.assertNotIn("GFLOP/s", result.text)
        result = self.succeeds("txt2img", "x", "--steps", "2", "-s", "1", "-W", "32", "-H", "32", "-o", "timed.png", "--profile=p.json")
        for words in ("GFLOP/s", "denoise step", "tokenise", "PNG", "upload", "unet/"):
            self.assertIn(words, result.text)
        document = support.json.loads((self.dir / "p.json").read_text())
        self.assertEqual({stage["name"]: stage["calls"] for stage in document["stages"]},
                         {"text encoder": 1, "keys and values of the prompt": 1, "denoising step": 2, "VAE decoder": 1})
        self.assertEqual(document["mode"], "concurrent")
        # Watching changes nothing.
        self.assertEqual((self.dir / "plain.png").read_bytes(), (self.dir / "timed.png").read_bytes())

    def test_wrong_usage(self):
        self.fails("profile", "--size", "512", code=2, contains="512x512")
        self.fails("profile", "--random-weights", code=2, contains="--arch")
        self.fails("profile", "--compare", "a.json", code=2, contains="two profiles")
        self.fails("profile", "a.json", code=2, contains="--compare")
        (self.dir / "no.json").write_text("{}")
        self.fails("profile", "--compare", "no.json", "no.json", contains="not a profile")


if __name__ == "__main__":
    support.main()
