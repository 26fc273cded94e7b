"""tools/device-lab as far as it goes without its roots; a command on a driver of this system where there is a build for it."""

import subprocess
import sys

import support

sys.path.insert(0, str(support.SOURCE / "tools"))
import device_matrix  # noqa: E402
import main_loop  # noqa: E402

TOOL = str(support.SOURCE / "tools/device-lab")


class Lab(support.Case):
    def run_tool(self, *args):
        # An empty folder for roots: nothing that happens to be on this machine counts.
        return subprocess.run([TOOL, "--root", str(self.dir / "roots"), *args], capture_output=True, text=True, timeout=support.TIMEOUT,
                              check=False)

    def test_list(self):
        result = self.run_tool("list", "-v")
        self.assertEqual(result.returncode, 0, result.stderr)
        names = [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")]
        self.assertEqual(len(names), len(set(names)))
        for name in ("lavapipe", "swiftshader", "lavapipe-sid", "radv-navi31", "nvk-ampere", "turnip-740", "honeykrisp-m1", "panvk-g610",
                     "powervr-bxs"):
            self.assertIn(name, names)
        stubbed = [line for line in result.stdout.splitlines() if " stubbed " in line]
        self.assertTrue(all("run tools/device-lab setup" in line or "qemu" in line for line in stubbed))

    def test_missing_root_is_skipped(self):
        result = self.run_tool("run", "radv-navi31", "nvk-ampere", "--", "brume", "devices")
        self.assertEqual(result.returncode, support.SKIPPED, result.stderr)
        self.assertEqual(result.stdout.splitlines(), ["radv-navi31: skipped: run tools/device-lab setup",
                                                      "nvk-ampere: skipped: run tools/device-lab setup"])

    def test_wrong_usage(self):
        for args, code, words in ((["run", "radv-navi99", "--", "brume"], 1, "radv-navi99"), (["run", "all"], 2, "COMMAND"),
                                  (["fly"], 2, "fly"), ([], 2, "COMMAND"), (["run", "--", "brume"], 2, "DEVICE")):
            with self.subTest(args):
                result = self.run_tool(*args)
                self.assertEqual(result.returncode, code)
                self.assertIn(words, result.stderr)
                self.assertEqual(result.stdout, "")


class Ready(support.Case):
    """The lab itself, on machines where it was set up."""

    def ready(self):
        """The stubbed devices that are set up, with the sources as they are; not those whose drivers take minutes under emulation."""
        listed = subprocess.run([TOOL, "list"], capture_output=True, text=True, check=True).stdout
        ready = [line.split()[0] for line in listed.splitlines() if " stubbed " in line and line.endswith(" ready")]
        ready = [name for name in ready if not name.startswith(("panvk-g72", "panvk-g52", "powervr"))]
        if not ready:
            self.skipTest("no roots here: run tools/device-lab setup")
        sources = [path for folder in ("src", "include", "shaders") for path in (support.SOURCE / folder).rglob("*") if path.is_file()]
        built = (support.SOURCE / "build/device-lab-amd64/brume").stat().st_mtime
        if max(path.stat().st_mtime for path in sources) > built:
            self.skipTest("the lab's build is older than the sources: run tools/device-lab setup")
        return ready

    def shaders(self, name, what):
        """Stable Diffusion 1.5's pipelines, by the driver."""
        result = subprocess.run([TOOL, "run", name, "--", "brume", "shaders", "--arch", "sd15", "--size", "512x512", what, "--json"],
                                capture_output=True, text=True, timeout=support.TIMEOUT, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return main_loop.read_report(result.stdout)

    def test_hot_loops_multiply(self):
        """Four fifths of the arithmetic of the main loops, where the driver shows it, are multiply-adds or the matrix units'."""
        for name in set(self.ready()) & {"radv-navi31", "radv-navi21", "turnip-740", "nvk-ampere", "honeykrisp-m1", "panvk-g610"}:
            with self.subTest(name):
                report = self.shaders(name, "--disassemble")
                hot = [shader for shader, share in zip(report["shaders"], device_matrix.work(report)) if share >= device_matrix.HOT]
                loops = [(shader, main_loop.main_loop(shader)) for shader in hot]
                loops = [(shader, slots) for shader, slots in loops if slots]
                self.assertGreater(len(loops), 4)
                for shader, (mads, vector) in loops:
                    self.assertGreaterEqual(mads, 0.8 * vector, f"{shader['shader']} {shader['constants']}")

    def test_products_have_eight_waves(self):
        """A SIMD of RDNA 3 holds 8 subgroups of each product and convolution, so that it has work while some of them wait."""
        name = "radv-navi31"
        if name not in self.ready():
            self.skipTest(f"no {name} here")
        waves = [(shader["numbers"]["waves"], shader["shader"]) for shader in self.shaders(name, "--stats")["shaders"]
                 if shader["shader"].startswith(("linear", "conv2d"))]
        self.assertGreater(len(waves), 4)
        self.assertGreaterEqual(min(waves)[0], 8, min(waves))

    def test_hot_shaders_do_not_spill(self):
        """By the driver's own statistics."""
        for name in self.ready():
            with self.subTest(name):
                report = self.shaders(name, "--stats")
                self.assertTrue(report["has_statistics"])
                self.assertTrue(all("registers" in shader["numbers"] for shader in report["shaders"]))
                self.assertTrue(all("spills" in shader["numbers"] for shader in report["shaders"]))
                self.assertEqual(device_matrix.spilling(report, device_matrix.HOT), [])
                # Nor keep arrays in memory that are meant for registers, which no driver calls a spill.
                self.assertEqual(device_matrix.scratching(report, device_matrix.HOT), [])


if __name__ == "__main__":
    support.main()
