"""What is refused at the door: sizes, texts, names of files, and machines without Vulkan. No device is opened."""

import os
import pathlib

import support

NO_DRIVER = {"VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent", "VK_ADD_DRIVER_FILES": None}


class Arguments(support.Case):
    """Without a driver, so a message about a device would mean that the argument was looked at too late."""

    def refused(self, *args, contains, code=1):
        return self.fails("txt2img", *args, code=code, contains=contains, env=NO_DRIVER)

    def test_sizes(self):
        for size in (1, 2, 63, 65, 1021):
            self.refused("x", "-W", str(size), contains=["width", str(size), "multiple of"])
            self.refused("x", "-H", str(size), contains=["height", str(size), "multiple of"])
        for size in (1000000000, 2147483647, 2147483644, 100000):
            self.refused("x", "-W", str(size), contains=["width", str(size)])
            self.refused("x", "-W", str(size), "-H", str(size), contains=str(size))
        self.fails("inspect", "-W", "63", contains="63", env=NO_DRIVER)
        self.fails("inspect", "-W", "1000000000", "-H", "1000000000", contains="1000000000", env=NO_DRIVER)

    def test_steps(self):
        self.refused("x", "--steps", "1001", contains=["steps", "1001", "1000"])

    def test_invalid_utf8(self):
        for text in (b"a \xff cat", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82"):
            self.refused(text, contains=["prompt", "UTF-8"])
            self.refused("x", "-n", text, contains=["negative", "UTF-8"])

    def test_prompts(self):
        self.refused("a (cat:2000)", contains=["prompt", "cat", "2000", "1000"])
        self.refused("x", "-n", "(" * 400 + "cat", contains=["negative prompt", "256"])
        self.refused("BREAK " * 300, contains=["300 chunks", "256"])
        self.refused("x", "--clip-skip", "60", contains=["clip skip", "60", "text_encoder"])
        for option, value in (("--original-size", "640"), ("--crop", "3"), ("--target-size", "0x5"), ("--crop", "-1,2"), ("--target-size", "axb")):
            self.refused("x", f"{option}={value}", contains=option, code=2)

    def test_embeddings(self):
        self.refused("x", "--embedding", "none.safetensors", contains="none.safetensors")
        self.refused("x", "--embeddings-dir", "none", contains=["--embeddings-dir", "none"])
        ornament = str(pathlib.Path(__file__).parents[1] / "data" / "prompts" / "ornament.safetensors")
        self.refused("x", "--embedding", f"it={ornament}", contains=["[3, 24]", "128", "text_encoder"])

    def test_init_noise(self):
        self.refused("x", "--init-noise", "none.npy", contains="none.npy")
        (self.dir / "text.npy").write_text("hello")
        self.refused("x", "--init-noise", "text.npy", contains="text.npy")
        support.write_npy(self.dir / "flat.npy", (1024,), [0.0] * 1024)
        self.refused("x", "--init-noise", "flat.npy", contains=["flat.npy", "[C, h, w]"])
        support.write_npy(self.dir / "int.npy", (4, 16, 16), [0] * 1024, dtype="<i4")
        self.refused("x", "--init-noise", "int.npy", contains=["int.npy", "float32"])
        support.write_npy(self.dir / "wide.npy", (4, 8, 32), [0.0] * 1024)
        self.refused("x", "--init-noise", "wide.npy", contains=["wide.npy", "8 rows", "16"])
        support.write_npy(self.dir / "thin.npy", (3, 16, 16), [0.0] * 768)
        self.refused("x", "--init-noise", "thin.npy", contains="768")
        support.write_npy(self.dir / "two.npy", (2, 4, 16, 16), [0.0] * 2048)
        self.refused("x", "--init-noise", "two.npy", "--batch-size", "3", contains=["two.npy", "2", "3"], code=2)
        support.write_npy(self.dir / "good.npy", (4, 16, 16), [0.0] * 1024)
        self.refused("x", "--init-noise", "good.npy", "--batch-count", "2", contains="--init-noise", code=2)

    def test_not_finite_noise(self):
        support.write_npy(self.dir / "nan.npy", (4, 16, 16), [float("nan")] + [0.0] * 1023)
        self.refused("x", "--init-noise", "nan.npy", contains="finite")

    def test_forward_input(self):
        self.fails("forward", "none.png", contains="none.png", env=NO_DRIVER)
        (self.dir / "text.png").write_text("hello")
        self.fails("forward", "text.png", contains="text.png", env=NO_DRIVER)
        support.write_png(self.dir / "cut.png", 64, 64, bytes(64 * 64 * 3))
        data = (self.dir / "cut.png").read_bytes()
        (self.dir / "cut.png").write_bytes(data[:-20])
        self.fails("forward", "cut.png", contains="cut.png", env=NO_DRIVER)


class Output(support.Case):
    """Where the picture should go is looked at before a model is read."""

    def refused(self, path, *contains):
        for args in (["txt2img", "x"], ["forward", str(support.MODEL / "samples.png")]):
            self.fails(*args, "-o", path, contains=contains, env=NO_DRIVER)

    def test_missing_folder(self):
        self.refused("no/such/x.png", "no/such/x.png")

    def test_is_a_folder(self):
        (self.dir / "out").mkdir()
        self.refused("out", "out", "folder")
        self.refused("out/", "out/", "folder")

    def test_below_a_file(self):
        (self.dir / "file").write_text("x")
        self.refused("file/x.png", "file/x.png")

    def test_empty_name(self):
        self.refused("", "name")

    def test_too_long(self):
        self.refused("x" * 300 + ".png")

    def test_no_right_to_write(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anywhere; the class ReadOnly has a read-only file system")
        folder = self.dir / "locked"
        folder.mkdir()
        folder.chmod(0o555)
        self.refused("locked/x.png", "locked/x.png")
        folder.chmod(0o755)

    def test_every_one_of_several(self):
        (self.dir / "x-002.png").mkdir()
        self.fails("txt2img", "x", "-o", "x.png", "--batch-count", "4", contains="x-002.png", env=NO_DRIVER)

    def test_preview_and_grid(self):
        self.fails("txt2img", "x", "--preview", "no/p.png", contains="no/p.png", env=NO_DRIVER)
        (self.dir / "x-grid.png").mkdir()
        self.fails("txt2img", "x", "-o", "x.png", "--grid", "--batch-size", "2", contains="x-grid.png", env=NO_DRIVER)

    def test_dump_dir(self):
        self.fails("txt2img", "x", "--dump-dir", "no/such/dir", contains="no/such/dir", env=NO_DRIVER)
        (self.dir / "file").write_text("x")
        self.fails("txt2img", "x", "--dump-dir", "file", contains="file", env=NO_DRIVER)


class ReadOnly(support.Case):
    def test_read_only_file_system(self):
        prefix = support.namespace_prefix(f"mount -t tmpfs -o ro none {self.dir}/out")
        (self.dir / "out").mkdir()
        prefix = support.namespace_prefix(f"mount -t tmpfs -o ro none {self.dir}/out")
        if not prefix:
            self.skipTest("no right to mount a read-only tmpfs")
        for args in (["txt2img", "x", "-o"], ["txt2img", "x", "--preview"], ["forward", str(support.MODEL / "samples.png"), "-o"]):
            self.fails(*args, "out/x.png", contains=["out/x.png", "Read-only"], env=NO_DRIVER, prefix=prefix)
        self.fails("txt2img", "x", "--dump-dir", "out/dump", contains=["out/dump", "Read-only"], env=NO_DRIVER, prefix=prefix)


class NoDriver(support.Case):
    def test_commands_that_need_one(self):
        for args in (["devices"], ["devices", "--json"], ["txt2img", "x"], ["forward", str(support.MODEL / "samples.png")],
                     ["bench", "--roof"], ["bench", "linear", "8,8,8"], ["bench", "--stage", "unet"], ["inspect", "-d", "0"]):
            with self.subTest(args):
                self.fails(*args, contains="Vulkan", env=NO_DRIVER)

    def test_broken_driver_file(self):
        (self.dir / "icd.json").write_text("{}")
        path = str(self.dir / "icd.json")
        self.fails("txt2img", "x", contains="Vulkan", env={"VK_DRIVER_FILES": path, "VK_ICD_FILENAMES": path})

    def test_inspect_works_without(self):
        text = self.succeeds("inspect", env=NO_DRIVER).out.decode()
        for words in ("CLIPTextModel", "UNet2DConditionModel", "AutoencoderKL", "a minimum device is assumed", "denoise"):
            self.assertIn(words, text)
        report = support.json.loads(self.succeeds("inspect", "--json", env=NO_DRIVER).out)
        self.assertIsNone(report["memory"]["device"])
        self.assertIn("Vulkan", report["memory"]["no_device"])


class NoLoader(support.Case):
    """tests/cli/no_loader.c, preloaded, makes libvulkan impossible to open."""

    def test_no_loader(self):
        shim = os.environ.get("BRUME_NO_LOADER")
        if not shim or not pathlib.Path(shim).exists():
            self.skipTest("the shim that hides libvulkan was not built")
        env = {"LD_PRELOAD": shim, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        for args in (["devices"], ["txt2img", "x"], ["bench", "--roof"]):
            with self.subTest(args):
                self.fails(*args, contains=["Vulkan", "loader"], env=env)
        self.assertIn("a minimum device is assumed", self.succeeds("inspect", env=env).out.decode())


class Inspect(support.Case):
    def report(self, *args):
        return support.json.loads(self.succeeds("inspect", "--json", *args, env=NO_DRIVER).out)

    def test_components(self):
        report = self.report("--tensors")
        self.assertEqual([c["name"] for c in report["components"]], ["text_encoder", "unet", "vae"])
        for component in report["components"]:
            header, data = support.split_safetensors(component["path"])
            header.pop("__metadata__", None)
            self.assertEqual(component["tensor_count"], len(header))
            self.assertEqual(component["bytes"], len(data))
            self.assertEqual({t["name"]: (t["dtype"], t["shape"]) for t in component["tensors"]},
                             {name: (t["dtype"], t["shape"]) for name, t in header.items()})
            elements = sum(len_of(t["shape"]) for t in header.values())
            self.assertEqual(component["parameters"], elements)

    def test_memory_grows_with_the_picture(self):
        small, wide, many = (self.report(*args)["memory"] for args in ([], ["-W", "128"], ["--batch-size", "4"]))
        self.assertEqual((small["width"], small["height"], small["batch_size"]), (64, 64, 1))
        self.assertEqual([stage["name"] for stage in small["stages"]], ["text", "cross", "denoise", "decode"])
        for stage in small["stages"]:
            self.assertGreater(stage["dispatches"], 0)
            self.assertGreater(stage["flops"], 0)
            self.assertGreaterEqual(stage["activation_bytes"], stage["activation_lower_bound_bytes"])
        for larger in (wide, many):
            self.assertEqual(larger["weight_bytes"], small["weight_bytes"])
            self.assertGreater(larger["activation_bytes"], small["activation_bytes"])
            self.assertGreater(larger["stages"][2]["flops"], 1.5 * small["stages"][2]["flops"])
        self.assertGreaterEqual(small["total_bytes"], small["weight_bytes"] + small["activation_bytes"])

    def test_table_lists_tensors(self):
        text = self.succeeds("inspect", "--tensors", str(support.MODEL), env=NO_DRIVER).out.decode()
        self.assertIn("decoder.conv_in.weight", text)
        self.assertRegex(text, r"F16 +decoder\.conv_out\.bias +\[3\]\n")


class Convert(support.Case):
    def test_writes_and_reports(self):
        out = self.dir / "model.gguf"
        done = self.succeeds("convert", str(support.MODEL), str(out), "--type", "q8_0", "--tensor-type", "^vae.=f32,attn2=q4_1", env=NO_DRIVER)
        self.assertEqual(done.out.decode(), f"{out}\n")
        self.assertIn("size ", done.err.decode())
        self.assertEqual(out.read_bytes()[:8], b"GGUF\3\0\0\0")
        again = self.dir / "model.safetensors"
        report = support.json.loads(self.succeeds("convert", str(out), str(again), "-q", "--json", env=NO_DRIVER).out)
        self.assertEqual(report["output_bytes"] + 8 + int.from_bytes(again.read_bytes()[:8], "little"), again.stat().st_size)
        self.assertGreater(report["converted"], 0)

    def test_leaves_nothing_behind(self):
        broken = self.dir / "broken.gguf"
        broken.write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 16)
        self.fails("convert", str(broken), str(self.dir / "out.gguf"), contains="too many", env=NO_DRIVER)
        self.fails("convert", str(support.MODEL), str(self.dir / "none" / "out.gguf"), contains="none/out.gguf", env=NO_DRIVER)
        self.fails("convert", str(support.MODEL), "/dev/full", contains="expected a name", env=NO_DRIVER)
        self.assertEqual(self.files(), ["broken.gguf"])


def len_of(shape):
    count = 1
    for size in shape:
        count *= size
    return count


if __name__ == "__main__":
    support.main()
