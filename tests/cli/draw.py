"""txt2img on a device: what it writes, that it repeats itself, and that it ends cleanly when it must."""

import os
import pty
import resource
import select
import signal
import struct
import time

import support

# Few steps: what is looked at here does not depend on how good the picture is.
STEPS = ["--steps", "2"]
F32 = ["--dtype", "f32"]
# A quarter of the model's size, and the smallest there is: for what does not depend on the size either.
SMALL = ["-W", "32", "-H", "32"]
SMALLEST = ["-W", "16", "-H", "16"]


class Draw(support.Case):
    def draw(self, *args, **options):
        return self.succeeds("txt2img", "red apple", *STEPS, *args, **options)

    def bytes(self, name):
        return (self.dir / name).read_bytes()


class Files(Draw):
    def test_picture(self):
        result = self.draw("-s", "7", "-n", "blue, \"green\"\nsecond line", "-o", "a.png")
        self.assertEqual(result.out, b"a.png\n")
        self.assertEqual(self.files(), ["a.png"])
        width, height, pixels = support.read_png(self.dir / "a.png")
        self.assertEqual((width, height), (64, 64))
        self.assertGreater(len(set(pixels)), 16, "a picture of one colour")
        for words in ("seed    7", "device  ", "model   ", "time    "):
            self.assertIn(words, result.text)
        text = support.png_text(self.dir / "a.png")
        lines = text.split("\n")
        self.assertEqual(lines[0], "red apple")
        self.assertTrue(lines[1].startswith("Negative prompt: blue, \"green\""))
        self.assertRegex(lines[-1], r"^Steps: 2, Sampler: DDIM, .*CFG scale: 3(\.0)?, Seed: 7, Size: 64x64, .*Model: emoji")

    def test_names(self):
        # Nothing that was drawn before is lost unless the name was given.
        self.assertEqual(self.draw("-s", "1").out, b"output.png\n")
        self.assertEqual(self.draw("-s", "2").out, b"output-001.png\n")
        first = self.bytes("output.png")
        self.assertEqual(self.draw("-s", "2", "-o", "output.png").out, b"output.png\n")
        self.assertNotEqual(self.bytes("output.png"), first)
        self.assertEqual(self.bytes("output.png"), self.bytes("output-001.png"))

    def test_several(self):
        result = self.draw("-s", "5", "--batch-count", "3", "--grid", "-W", "64", "-H", "32", "-o", "n%02d.png")
        self.assertEqual(result.out, b"n00.png\nn01.png\nn02.png\nngrid.png\n")
        self.assertIn("seeds   5 to 7", result.text)
        self.assertEqual(support.read_png(self.dir / "n01.png")[:2], (64, 32))
        self.assertEqual(support.read_png(self.dir / "ngrid.png")[:2], (128, 64))
        self.assertIn("Seed: 6,", support.png_text(self.dir / "n01.png"))
        self.draw("-s", "6", "-W", "64", "-H", "32", "-o", "single.png")
        self.assertEqual(self.bytes("single.png"), self.bytes("n01.png"))

    def test_stdout(self):
        result = self.draw("-s", "1", "-o", "-")
        self.assertEqual(result.out[:4], b"\x89PNG")
        self.assertEqual(support.png_chunks(result.out)[-1][0], "IEND")
        self.assertEqual(self.files(), [])

    def test_json(self):
        result = self.draw("-s", "3", "--json", "-q", "--batch-size", "2", "--grid", "-o", "j.png", *F32)
        self.assertEqual(result.err, b"")
        report = support.json.loads(result.out)
        self.assertEqual(report["pictures"], [{"path": "j-000.png", "seed": 3}, {"path": "j-001.png", "seed": 4}])
        self.assertEqual(report["grid"], "j-grid.png")
        self.assertEqual((report["width"], report["height"], report["steps"], report["cfg"]), (64, 64, 2, 3))
        self.assertEqual((report["sampler"], report["model"], report["dtype"]), ("ddim", "emoji", "f32"))
        self.assertGreater(report["seconds"]["denoise"], 0)
        self.assertEqual(self.files(), ["j-000.png", "j-001.png", "j-grid.png"])

    def test_quiet(self):
        result = self.draw("-q")
        self.assertEqual((result.out, result.err), (b"output.png\n", b""))

    def test_random_seed_is_told(self):
        result = self.draw("-o", "a.png")
        seed = support.re.search(r"seed +(\d+)", result.text).group(1)
        self.draw("-s", seed, "-o", "b.png")
        self.assertEqual(self.bytes("a.png"), self.bytes("b.png"))

    def test_preview(self):
        self.draw("-s", "1", "--preview", "p.png", "--preview-every", "1", "-o", "a.png")
        self.assertEqual(self.files(), ["a.png", "p.png"])
        self.assertEqual(support.read_png(self.dir / "p.png")[:2], (64, 64))


class Pictures(support.Case):
    """img2img and inpaint: pictures in, pictures out, and what is said about those that are none."""

    def data(self, name):
        return str(support.SOURCE / "tests/data" / name)

    def test_img2img(self):
        common = ["red apple", "-i", self.data("tasks/picture.png"), "--steps", "4", *SMALLEST, "-s", "3"]
        self.succeeds("img2img", *common, "--strength", "0.5", "-o", "a.png")
        self.assertEqual(support.read_png(self.dir / "a.png")[:2], (16, 16))
        self.assertIn("Denoising strength: 0.5", support.png_text(self.dir / "a.png"))
        self.succeeds("img2img", *common, "--strength", "0.25", "-o", "b.png")
        self.assertNotEqual((self.dir / "a.png").read_bytes(), (self.dir / "b.png").read_bytes())
        self.fails("img2img", *common, "--strength", "0.2", contains=["strength 0.2 of 4 steps leaves none", "0.25"])

    def test_any_png(self):
        # The picture's own size where none is given, or as much of its shape as the model is used to; 16 bits, alpha, grey.
        for name in ("image/rgb16.png", "image/gray_alpha8.png"):
            self.succeeds("img2img", "x", "-i", self.data(name), "--steps", "1", "--strength", "1", "-o", "c.png")
            with open(self.data(name), "rb") as file:
                width, height = struct.unpack(">II", file.read(24)[16:])
            self.assertEqual(support.read_png(self.dir / "c.png")[:2], (max(4, width // 4 * 4), max(4, height // 4 * 4)))

    def test_inpaint(self):
        picture, mask = self.data("tasks/picture.png"), self.data("tasks/mask.png")
        self.succeeds("inpaint", "red apple", "-i", picture, "--mask", mask, "--steps", "2", *SMALLEST, "-o", "d.png")
        self.assertEqual(support.read_png(self.dir / "d.png")[:2], (16, 16))
        self.fails("inpaint", "x", "-i", picture, "--mask", self.data("image/rgb8.png"), contains="expected the picture's 96x96")

    def test_latents(self):
        # A refiner goes on with what the first model leaves noisy; so does a call of its own.
        base, refiner = self.data("tiny/sdxl"), self.data("tiny/sdxl_refiner")
        common = ["red apple", "--steps", "4", "--cfg", "3", "-s", "3", *F32]
        both = ["-m", base, "--refiner", refiner, "--refiner-start", "0.5", "-W", "24", "-H", "16"]
        result = self.succeeds("txt2img", *common, *both, "-o", "a.png", "--dump-dir", "a")
        self.assertIn("refiner " + refiner, result.text)
        self.assertIn("refine: 2 steps", result.text)
        self.assertIn("Refiner: sdxl_refiner, Refiner switch at: 0.5", support.png_text(self.dir / "a.png"))
        latents = ["--init-latents", "a/latents.npy", "--denoising-start", "0.5"]
        self.succeeds("img2img", *common, "-m", refiner, *latents, "-o", "c.png", "--dump-dir", "c")
        self.assertEqual((self.dir / "a/refiner/latents.npy").read_bytes(), (self.dir / "c/latents.npy").read_bytes())
        self.fails("img2img", *common, "-m", refiner, *latents, "-W", "16", "-H", "24", contains="8 rows and 12 columns, expected 12 and 8 for")
        self.fails("txt2img", *common, *both, "--denoising-end", "0.5", contains="denoising end is 0.5, but there is a refiner")
        self.fails("img2img", *common, *latents, "-i", "a.png", code=2, contains="-i and --init-latents")
        self.fails("txt2img", *common, "--refiner-start", "0.5", code=2, contains="no --refiner")
        self.fails("txt2img", *common, "--refiner", self.data("none"), contains=["--refiner", "none"])

    def test_no_picture(self):
        (self.dir / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(99)))
        self.fails("img2img", "x", "-i", "x.png", contains="x.png")
        self.fails("img2img", "x", "-i", "none.png", contains="none.png")
        self.fails("txt2img", "x", "-m", self.data("tiny/inpaint"), contains="brume inpaint -i PICTURE --mask MASK")
        self.fails("txt2img", "x", "-m", self.data("tiny/pix2pix"), contains="brume img2img -i PICTURE")


class Repeat(Draw):
    def test_same_seed_same_bytes(self):
        self.draw("-s", "11", *SMALL, "-o", "a.png")
        self.draw("-s", "11", *SMALL, "-o", "b.png")
        self.draw("-s", "12", *SMALL, "-o", "c.png")
        self.assertEqual(self.bytes("a.png"), self.bytes("b.png"))
        self.assertNotEqual(support.read_png(self.dir / "a.png"), support.read_png(self.dir / "c.png"))

    def test_rng(self):
        self.draw("-s", "11", *SMALL, "-o", "a.png")
        self.draw("-s", "11", *SMALL, "--rng", "cuda", "-o", "b.png")
        self.assertNotEqual(support.read_png(self.dir / "a.png"), support.read_png(self.dir / "b.png"))

    def test_every_sampler(self):
        seen = set()
        for sampler in ("ddim", "ddpm", "euler", "euler_a", "heun", "dpmpp_2m"):
            with self.subTest(sampler):
                # Drawn again where there is noise in the loop or a history.
                for name in ("a.png", "b.png") if sampler in ("euler_a", "dpmpp_2m") else ("a.png",):
                    self.draw("-s", "11", *SMALLEST, "--sampler", sampler, "--steps", "3", "-o", name)
                if name == "b.png":
                    self.assertEqual(self.bytes("a.png"), self.bytes("b.png"))
                if sampler != "ddpm":  # at the same timesteps ancestral Euler, up to rounding
                    seen.add(support.read_png(self.dir / "a.png")[2])
        self.assertEqual(len(seen), 5)

    def test_settings_matter(self):
        seen = set()
        for extra in ([], ["--cfg", "1"], ["--cfg", "7"], ["-n", "yellow"], ["--eta", "1"], ["--schedule", "karras", "--sampler", "euler"]):
            self.draw("-s", "11", *SMALL, *extra, "-o", "a.png")
            seen.add(support.read_png(self.dir / "a.png")[2])
        self.assertEqual(len(seen), 6)

    def test_prompts(self):
        pictures = {}
        for prompt, *extra in (("a (red:1.5) apple",), ("a red apple",), ("a red BREAK apple",), ("a (red) apple", "--no-prompt-weights"),
                               ("a \\(red\\) apple",), ("a red apple", "--clip-skip", "2")):
            self.succeeds("txt2img", "-p", prompt, *extra, *STEPS, *SMALLEST, "-s", "11", "-o", "a.png")
            pictures[prompt, *extra] = support.read_png(self.dir / "a.png")[2]
        self.assertEqual(len(set(pictures.values())), 5)
        self.assertEqual(pictures["a (red) apple", "--no-prompt-weights"], pictures["a \\(red\\) apple",])


class Dump(Draw):
    def test_files(self):
        self.draw("-s", "7", "--dump-dir", "dump", "-o", "a.png", *F32)
        latents = ("<f4", (4, 16, 16))
        expected = {"tokens": ("<i4", (77,)), "tokens_uncond": ("<i4", (77,)), "text": ("<f4", (77, 128)), "text_uncond": ("<f4", (77, 128)),
                    "eps_cond_000": latents, "eps_uncond_000": latents, "eps_cond_001": latents, "eps_uncond_001": latents,
                    "latents": latents, "image": ("<f4", (3, 64, 64))}
        self.assertEqual(self.files(), ["a.png", "dump", *sorted(f"dump/{name}.npy" for name in expected)])
        for name, (dtype, shape) in expected.items():
            with self.subTest(name):
                found = support.read_npy(self.dir / f"dump/{name}.npy")
                self.assertEqual(found[:2], (dtype, shape))
                if dtype == "<f4":
                    self.assertTrue(all(abs(value) < 1e4 for value in found[2]))
                    self.assertGreater(len(set(found[2])), 100)
        image = support.read_npy(self.dir / "dump/image.npy")[2]
        self.assertTrue(0 <= min(image) and max(image) <= 1)
        # The picture is the dumped one in 8 bits.
        pixels = support.read_png(self.dir / "a.png")[2]
        off = max(abs(pixels[i * 3 + c] - 255 * image[c * 4096 + i]) for c in range(3) for i in range(4096))
        self.assertLessEqual(off, 0.51)

    def test_batches(self):
        self.draw("--batch-count", "2", "--dump-dir", "dump")
        self.assertIn("dump/000/latents.npy", self.files())
        self.assertIn("dump/001/latents.npy", self.files())

    def test_init_noise(self):
        # A batch begins with the given noise; that of a seed is reproduced by giving it.
        values = [((i * 2654435761 % 1000) / 1000 - 0.5) * 3.4 for i in range(1024)]
        support.write_npy(self.dir / "a.npy", (4, 16, 16), values)
        support.write_npy(self.dir / "b.npy", (2, 4, 16, 16), values + [-value for value in values])
        self.draw("-s", "1", "--init-noise", "a.npy", "-o", "a.png", *F32)
        self.draw("-s", "2", "--init-noise", "a.npy", "-o", "b.png", *F32)
        self.assertEqual(support.read_png(self.dir / "a.png"), support.read_png(self.dir / "b.png"))
        self.draw("-s", "1", "--init-noise", "b.npy", "-o", "c.png", *F32)
        one, two = (support.read_png(self.dir / name)[2] for name in ("c-000.png", "c-001.png"))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(one, support.read_png(self.dir / "a.png")[2])), 1)
        self.assertNotEqual(one, two)

    def test_batch_equals_singles(self):
        args = ["-s", "21", *F32]
        self.draw(*args, "--batch-size", "4", "--dump-dir", "batch", "-o", "b.png")
        for i in range(4):
            self.draw("-s", str(21 + i), *F32, "--dump-dir", f"single{i}", "-o", f"s{i}.png")
            together, alone = (support.read_npy(self.dir / name)[2] for name in (f"batch/{i:03d}/latents.npy", f"single{i}/latents.npy"))
            error = sum((a - b)**2 for a, b in zip(together, alone))**0.5 / sum(b * b for b in alone)**0.5
            print(f"picture {i}: relative error of the latents {error:.2e}")
            self.assertLessEqual(error, 1e-5)
            pictures = (support.read_png(self.dir / name)[2] for name in (f"b-{i:03d}.png", f"s{i}.png"))
            self.assertLessEqual(max(abs(a - b) for a, b in zip(*pictures)), 1)
            parameters = [support.png_text(self.dir / name) for name in (f"b-{i:03d}.png", f"s{i}.png")]
            self.assertEqual(*parameters)


class Device(Draw):
    def devices(self):
        return support.json.loads(self.succeeds("devices", "--json").out)["devices"]

    def test_devices(self):
        devices = self.devices()
        self.assertGreaterEqual(len(devices), 1)
        text = self.succeeds("devices").out.decode()
        for index, device in enumerate(devices):
            self.assertEqual(device["index"], index)
            self.assertIn(f"{index}  {device['name']}\n", text)
            self.assertIn(device["kind"], ("discrete", "integrated", "virtual", "cpu", "other"))
            if device["usable"]:
                self.assertIn(device["dtype"], ("f16", "f32"))
                self.assertGreaterEqual(device["max_invocations"], 128)
                self.assertGreaterEqual(device["max_shared_bytes"], 16384)

    def test_selection(self):
        name = self.devices()[0]["name"]
        for selector in ("0", name, name[:5].upper(), name[-5:].lower()):
            with self.subTest(selector):
                result = self.succeeds("bench", "linear", "8,8,8", "--runs", "1", "--json", "-d", selector)
                self.assertEqual(support.json.loads(result.out)["device"], name)
        self.assertIn(f"device  {name}", self.draw(*SMALLEST, "-d", name[-5:].lower()).text)

    def test_unknown(self):
        name = self.devices()[0]["name"]
        for selector in ("GeForce Nonsense", "99", "-1", "0x0"):
            with self.subTest(selector):
                self.fails("txt2img", "x", f"--device={selector}", contains=[selector, name])
                self.fails("bench", "linear", "8,8,8", f"--device={selector}", contains=selector)
                self.fails("inspect", f"--device={selector}", contains=selector)

    def test_f16_where_there_is_none(self):
        if self.devices()[0]["f16_storage"]:
            self.assertIn(", f16\n", self.draw(*SMALLEST, "--dtype", "f16").text)
        else:
            self.fails("txt2img", "x", "--dtype", "f16", contains=["16-bit", "--dtype f32"])


class Weights(Draw):
    """What only shows when the weights meet the architecture. (models.py has the files that are wrong by themselves.)"""

    PART = "vae/diffusion_pytorch_model.safetensors"

    def refused(self, header, data, *contains):
        folder = self.model(self.PART)
        (folder / self.PART).write_bytes(support.join_safetensors(header, data))
        self.fails("txt2img", "x", "-m", str(folder), contains=contains)

    def test_wrong_shape(self):
        header, data = support.split_safetensors(support.MODEL / self.PART)
        name = "decoder.conv_in.weight"
        shape = header[name]["shape"]
        header[name] = dict(header[name], shape=[shape[1], shape[0], *shape[2:]])
        self.refused(header, data, name, ", ".join(map(str, shape)), ", ".join(map(str, header[name]["shape"])))

    def test_missing_tensor(self):
        header, data = support.split_safetensors(support.MODEL / self.PART)
        header["decoder.conv_somewhere.weight"] = header.pop("decoder.conv_in.weight")
        self.refused(header, data, "decoder.conv_in.weight")

    def test_not_finite(self):
        # A model of NaN would draw black; here it is an error, and no picture.
        header, data = support.split_safetensors(support.MODEL / self.PART)
        begin, end = header["decoder.conv_out.bias"]["data_offsets"]
        data = data[:begin] + b"\xff\x7f" * ((end - begin) // 2) + data[end:]
        folder = self.model(self.PART)
        (folder / self.PART).write_bytes(support.join_safetensors(header, data))
        self.fails("txt2img", "x", *STEPS, *SMALLEST, "-m", str(folder), contains="finite", alone=False)


class Interrupt(Draw):
    ENDLESS = ["txt2img", "x", "--steps", "900", *SMALL, "-o", "out.png"]

    def begin(self, *extra):
        """A long run, returned once it is drawing: the seed is the last thing said before."""
        process = self.start(*self.ENDLESS, *extra, stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE)
        self.said = b""
        while b"seed " not in self.said:
            line = process.stderr.readline()
            self.assertTrue(line, "it ended before it began: " + self.said.decode())
            self.said += line
        time.sleep(0.3)
        return process

    def end(self, process):
        out, err = process.communicate(timeout=support.TIMEOUT)
        return support.Result(process.returncode, out, self.said + err)

    def test_in_the_loop(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begin()
            process.send_signal(number)
            self.assertEqual(self.check_failure(self.end(process), 1, "interrupted"), "brume: error: interrupted")
            self.assertEqual(self.files(), [])

    def test_finished_pictures_stay(self):
        process = self.start("txt2img", "x", *STEPS, *SMALLEST, "--batch-count", "10000", "-o", "out.png", stdout=support.subprocess.PIPE,
                             stderr=support.subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"out-000.png\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=support.TIMEOUT)
        self.assertEqual(process.returncode, 1)
        self.assertTrue(err.endswith(b"brume: error: interrupted\n"), err)
        told = sorted(["out-000.png", *out.decode().split()])
        self.assertEqual(self.files(), told)
        for name in told:
            support.read_png(self.dir / name)

    def test_ignored_signal_stays_ignored(self):
        result = self.run_brume("txt2img", "x", *STEPS, *SMALLEST, "-o", "out.png", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.assertEqual(result.code, 0, result.text)


class Terminal(Draw):
    def on_terminal(self, *args):
        """What a terminal of 100 columns is sent."""
        try:
            pid, terminal = pty.fork()
        except OSError as error:
            self.skipTest(f"no terminal to be had: {error}")
        if pid == 0:
            os.chdir(self.dir)
            os.environ["TERM"] = "xterm"
            os.execv(self.brume, [self.brume, *args])
        shown = b""
        while select.select([terminal], [], [], support.TIMEOUT)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        return shown.decode()

    def test_progress(self):
        shown = self.on_terminal("txt2img", "x", "--steps", "8", "-s", "1", "-o", "a.png")
        self.assertRegex(shown, r"\rdenoise  \[=+>? *\] \d/8  [\d.]+ (it/s|s/it)")
        self.assertIn("ETA 0:", shown)
        # The bar leaves nothing behind: after the last clearing there are whole lines only.
        self.assertRegex(shown.split("\r\x1b[K")[-1], r"^a\.png\r\ntime .*\r\n$|^time .*\r\n$")

    def test_quiet(self):
        self.assertEqual(self.on_terminal("txt2img", "x", *STEPS, "-q", "-o", "a.png"), "a.png\r\n")


class NoTerminal(Draw):
    def test_no_terminal(self):
        result = self.draw("-o", "a.png")
        self.assertNotIn("\r", result.text)
        self.assertRegex(result.text, r"\ndenoise: 2 steps, [\d.]+ (it/s|s/it), [\d.]+ s\n")
        self.assertRegex(result.text, r"\ndecode: [\d.]+ s\n")


class DiskFull(Draw):
    def full(self, prefix, *args, contains):
        result = self.run_brume("txt2img", "x", *STEPS, *args, prefix=prefix)
        self.check_failure(result, 1, contains)

    def test_tmpfs(self):
        out = self.dir / "out"
        out.mkdir()
        listing = self.dir / "listing"
        prefix = support.namespace_prefix(f"mount -t tmpfs -o size=4k none {out}")
        if not prefix:
            self.skipTest("no right to mount a small tmpfs")
        # The listing is taken inside the namespace, where the small disk is.
        inside = ["sh", "-c", f'"$@"; code=$?; ls -A {out} >{listing}; exit $code', "sh"]
        for args in (["-o", "out/x.png"], ["--preview", "out/p.png", "--preview-every", "1"]):
            self.full([*prefix, *inside], *args, contains=["out/", "No space left on device"])
            self.assertEqual(listing.read_text(), "")
        self.full([*prefix, *inside], "--dump-dir", "out/dump", contains="No space left on device")

    def test_file_size_limit(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.fails("txt2img", "x", *STEPS, "-o", "x.png", contains=["x.png", "File too large"], alone=False, preexec_fn=limit)


class Cache(Draw):
    """The pipeline cache is a convenience: whatever is wrong with it, the picture is drawn. Mesa's own stays where it is: it is not Brume's, and
    without it every pipeline is compiled anew."""

    MESA = {"MESA_SHADER_CACHE_DIR": os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")}

    def test_damaged(self):
        cache = self.dir / "cache"
        env = {**self.MESA, "XDG_CACHE_HOME": str(cache)}
        self.draw("-s", "1", *SMALL, "-o", "a.png", env=env)
        blobs = [path for path in cache.rglob("*") if path.is_file()]
        self.assertTrue(blobs)
        for damage in (lambda data: data[:-1], lambda data: data[:100] + b"\xff" * 64 + data[164:]):
            for path in blobs:
                path.write_bytes(damage(path.read_bytes()))
            self.draw("-s", "1", *SMALL, "-o", "b.png", env=env)
            self.assertEqual(self.bytes("a.png"), self.bytes("b.png"))

    def test_no_place(self):
        (self.dir / "file").write_text("x")
        self.draw(*SMALL, "-o", "a.png", env={**self.MESA, "XDG_CACHE_HOME": str(self.dir / "file"), "HOME": "/nonexistent"})


if __name__ == "__main__":
    support.main()
