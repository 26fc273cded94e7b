"""Wrong usage, and the help that keeps people from it. Needs no device and no model."""

import support


class WrongUsage(support.Case):
    def wrong(self, *args, contains):
        self.fails(*args, code=2, contains=contains)

    def test_no_command(self):
        result = self.run_brume()
        self.assertEqual(result.code, 2)
        self.assertEqual(result.out, b"")
        self.assertIn("Usage: brume COMMAND", result.text)
        self.assertIn("txt2img", result.text)

    def test_unknown_command(self):
        self.wrong("txt2imag", contains='did you mean "txt2img"')
        self.wrong("fly", contains=['"fly"', "brume help"])
        self.wrong("--fly", contains="--fly")
        self.wrong("help", "fly", contains='"fly"')

    def test_unknown_option(self):
        self.wrong("txt2img", "x", "--stpes", "3", contains=["--stpes", "did you mean --steps?"])
        self.wrong("txt2img", "x", "--neg=y", contains="did you mean --negative?")
        self.wrong("txt2img", "x", "--frobnicate", contains=["--frobnicate", "brume txt2img --help"])
        self.wrong("txt2img", "x", "-x", contains="-x")
        self.wrong("txt2img", "x", "-qz", contains="-z")

    def test_values(self):
        self.wrong("txt2img", "x", "-W", contains="-W needs a value")
        self.wrong("txt2img", "-p", "-q", contains=["-p needs a value", "--prompt=-q"])
        self.wrong("txt2img", "x", "--quiet=yes", contains=["--quiet takes no value", '"yes"'])
        for value in ("0", "-64", "64.5", "64px", "", " 64", "0x40", "1e2", "99999999999999999999"):
            self.wrong("txt2img", "x", "-W", value, contains=["-W", f'"{value}"', "whole number from 1"])
            self.wrong("txt2img", "x", f"--height={value}", contains=["--height", f'"{value}"'])
        for value in ("nan", "inf", "0x3", "3,5", "", "0.5", "-1"):
            self.wrong("txt2img", "x", "--cfg", value, contains=["--cfg", f'"{value}"', "number from 1"])
        self.wrong("txt2img", "x", "-s", "-2", contains=["-s", "-1 or more"])
        self.wrong("txt2img", "x", "--eta", "1.01", contains="from -1 to 1")
        self.wrong("txt2img", "x", "--steps", "0", contains="--steps")
        self.wrong("txt2img", "x", "--batch-count", "0", contains="--batch-count")
        self.wrong("txt2img", "x", "--batch-size", "1000000000", contains="--batch-size")

    def test_choices(self):
        self.wrong("txt2img", "x", "--sampler", "eular", contains=['"eular"', "ddim", "euler_a", "dpmpp_2m"])
        self.wrong("txt2img", "x", "--schedule", "linear", contains=['"linear"', "karras"])
        self.wrong("txt2img", "x", "--dtype", "f8", contains=['"f8"', "auto, f32, f16"])
        self.wrong("txt2img", "x", "--rng", "gpu", contains=['"gpu"', "cpu, cuda"])

    def test_contradictions(self):
        self.wrong("txt2img", contains="what should be drawn?")
        self.wrong("txt2img", "a", "red", "apple", contains=['"red"', "quotes"])
        self.wrong("txt2img", "-p", "a", "b", contains="-p")
        self.wrong("txt2img", "x", "-o", "x.jpg", contains=["x.jpg", ".png"])
        self.wrong("txt2img", "x", "-o", "-", "--batch-count", "2", contains="standard output")
        self.wrong("txt2img", "x", "-o", "-", "--json", contains="standard output")
        self.wrong("txt2img", "x", "--batch-count", "10000", "--batch-size", "2", contains="10000")
        self.wrong("txt2img", "x", "-s", "9223372036854775807", contains="-s")

    def test_other_commands(self):
        self.wrong("forward", contains="which picture?")
        self.wrong("forward", "a.png", "b.png", contains="b.png")
        for value in ("", "1,,2", "1,x", "-1", ",".join("1" * 65)):
            self.wrong("forward", "a.png", "--at", value, contains="--at")
        self.wrong("img2img", "words", contains="which picture?")
        self.wrong("img2img", "-i", "a.png", contains="what should be drawn? brume img2img")
        self.wrong("img2img", "-i", "a.png", "x", "--mask", "b.png", contains="--mask")
        for value in ("0", "1.1", "nan", "-1"):
            self.wrong("img2img", "-i", "a.png", "x", "--strength", value, contains="--strength")
        self.wrong("img2img", "-i", "a.png", "x", "--image-cfg", "0.5", contains="--image-cfg")
        self.wrong("inpaint", "-i", "a.png", "x", contains="which mask?")
        self.wrong("inpaint", "--mask", "a.png", "x", contains="which picture?")
        self.wrong("txt2img", "x", "-i", "a.png", contains="-i")
        self.wrong("txt2img", "x", "--guidance-rescale", "2", contains="--guidance-rescale")
        self.wrong("devices", "x", contains='"x"')
        self.wrong("inspect", "a", "b", contains='"b"')
        self.wrong("inspect", "a", "-m", "b", contains="-m")
        self.wrong("convert", contains="IN and OUT are missing")
        self.wrong("convert", "a.safetensors", contains="OUT is missing")
        self.wrong("convert", "a.safetensors", "b.gguf", "c", contains='"c"')
        self.wrong("convert", "a.safetensors", "b.gguf", "--type", "q4", contains=["q4_0", "q4_k"])
        self.wrong("convert", "a.safetensors", "b.gguf", "--tensor-type", "f16", contains="PATTERN=TYPE")
        self.wrong("bench", contains="what should be timed?")
        self.wrong("bench", "lunear", "1,1,1", contains=['"lunear"', "linear", "conv2d"])
        self.wrong("bench", "linear", contains="needs sizes")
        self.wrong("bench", "linear", "8,8,x", contains='"x"')
        self.wrong("bench", "linear", "8,8,8", "--stage", "unet", contains="one of the two")
        self.wrong("bench", "--stage", "unit", contains=["unet", "vae"])


class Help(support.Case):
    def test_version(self):
        self.assertRegex(self.succeeds("--version").out.decode(), r"^brume \d+\.\d+\.\d+\n$")

    def test_overview(self):
        texts = {self.succeeds(*args).out for args in (["help"], ["--help"], ["-h"], ["help", "help"])}
        self.assertEqual(len(texts), 1)
        for command in ("txt2img", "img2img", "inpaint", "forward", "devices", "inspect", "convert", "bench"):
            self.assertIn(command.encode(), next(iter(texts)))

    def test_each_command(self):
        for command in ("txt2img", "img2img", "inpaint", "forward", "devices", "inspect", "convert", "bench"):
            with self.subTest(command):
                text = self.succeeds(command, "--help").out.decode()
                self.assertEqual(text, self.succeeds("help", command).out.decode())
                self.assertEqual(text, self.succeeds(command, "-h").out.decode())
                self.assertTrue(text.startswith(f"Usage: brume {command} "))
                self.assertIn("Examples:\n", text)
                self.assertIn(f"\n  brume {command}", text)
                self.assertLess(max(map(len, text.splitlines())), 133)

    def test_defaults_are_shown(self):
        text = self.succeeds("txt2img", "--help").out.decode()
        for option, default in (("--batch-count", "(default: 1)"), ("--dtype", "(default: auto)"), ("--rng", "(default: cpu)"),
                                ("--eta", "(default: 0)"), ("--seed", "(default: -1, a random one)")):
            line = next(line for line in text.splitlines() if option in line)
            self.assertIn(default, line)

    def test_full_stdout(self):
        with open("/dev/full", "wb") as full:
            result = self.run_full(full)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, b"brume: error: cannot write to standard output\n")

    def run_full(self, full):
        return support.subprocess.run([self.brume, "help"], stdout=full, stderr=support.subprocess.PIPE, check=False)


if __name__ == "__main__":
    support.main()
