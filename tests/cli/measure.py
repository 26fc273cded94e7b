"""forward and bench on a device."""

import support


class Forward(support.Case):
    def picture(self):
        support.write_png(self.dir / "in.png", 40, 30, bytes(x * 6 % 256 for _ in range(30) for x in range(40) for _ in range(3)))
        return "in.png"

    def test_strip(self):
        name = self.picture()
        result = self.succeeds("forward", name, "-s", "3", "-o", "a.png")
        self.assertEqual(result.out, b"a.png\n")
        width, height, pixels = support.read_png(self.dir / "a.png")
        self.assertGreaterEqual(width, 5 * 64)
        self.assertGreater(height, 64)
        self.assertGreater(len(set(pixels)), 16)
        self.succeeds("forward", name, "-s", "3", "-o", "b.png")
        self.assertEqual((self.dir / "a.png").read_bytes(), (self.dir / "b.png").read_bytes())
        self.succeeds("forward", name, "-s", "4", "-o", "c.png")
        self.assertNotEqual((self.dir / "a.png").read_bytes(), (self.dir / "c.png").read_bytes())

    def test_options(self):
        name = self.picture()
        report = support.json.loads(self.succeeds("forward", name, "--at", "0,999", "--pixels", "--json", "-q").out)
        self.assertEqual(report["path"], "strip.png")
        self.assertEqual(support.read_png(self.dir / "strip.png")[:2], (report["width"], report["height"]))

    def test_wrong_timestep(self):
        self.fails("forward", self.picture(), "--at", "0,1000", contains=["1000", "999"], alone=False)


class Bench(support.Case):
    def test_op(self):
        result = support.json.loads(self.succeeds("bench", "linear", "64,48,32", "--runs", "3", "--json", "-q").out)
        self.assertEqual((result["op"], result["size"], result["runs"]), ("linear", [64, 48, 32], 3))
        self.assertLessEqual(result["seconds_min"], result["seconds_median"])
        self.assertLessEqual(result["seconds_median"], result["seconds_max"])
        self.assertGreater(result["gflops"], 0)
        self.assertAlmostEqual(result["gflops"] * result["seconds_median"] * 1e9, 2 * 64 * 48 * 32, delta=64 * 48 * 2)
        self.assertIsNone(result["roof_gflops"])

    def test_every_listed_op_is_known(self):
        lines = self.succeeds("bench", "--list").out.decode().splitlines()
        self.assertIn("linear", [line.split()[0] for line in lines])
        for line in lines:
            # One number is too few or too many for none of them, or it runs; it is never an unknown op.
            result = self.run_brume("bench", line.split()[0], "8", "--runs", "1")
            self.assertIn(result.code, (0, 1), result.text)
            self.assertNotIn("expected an op", result.text)

    def test_wrong_sizes(self):
        self.fails("bench", "linear", "8", contains="linear", alone=False)
        self.fails("bench", "linear", "0,8,8", contains="linear", alone=False)
        self.fails("bench", "linear", "2147483647,2147483647,2147483647", contains="", alone=False)

    def test_stages(self):
        for stage in ("text", "unet", "vae", "encode"):
            with self.subTest(stage):
                result = support.json.loads(self.succeeds("bench", "--stage", stage, "--runs", "1", "--json", "-q").out)
                for key in ("device", "stage", "size", "dtype", "seconds_median", "seconds_min", "seconds_max", "gflops", "roof_gflops",
                            "activation_bytes", "weight_bytes", "peak_device_bytes", "cpu_seconds_per_step", "dispatches"):
                    self.assertIn(key, result)
                self.assertGreater(result["roof_gflops"], 0)
                self.assertIs(result["outputs_finite"], True)
                self.assertGreater(result["gflops"], 0)
                self.assertGreater(result["activation_bytes"], 0)
                self.assertEqual(result["size"], [64, 64])

    def test_all_stages(self):
        result = support.json.loads(self.succeeds("bench", "--stage", "all", "--runs", "1", "--json", "-q").out)
        self.assertEqual([stage["stage"] for stage in result["stages"]], ["text", "unet", "vae"])
        self.assertTrue(all(stage["seconds_median"] > 0 for stage in result["stages"]))

    def test_random_weights(self):
        """Only what the stage needs is on the device; noise for weights of any model, a batch of it, in both types."""
        one = None
        for dtype, batch in (("f16", "1"), ("f16", "3"), ("f32", "1")):
            result = support.json.loads(self.succeeds("bench", "--stage", "unet", "--random-weights", "--batch", batch, "--size", "40x24", "--dtype",
                                                      dtype, "--runs", "1", "--json", "-q").out)
            self.assertEqual((result["batch_size"], result["size"], result["dtype"]), (int(batch), [40, 24], dtype))
            self.assertIs(result["outputs_finite"], True)
            one = one or result
            if dtype == "f16":
                self.assertEqual(result["weight_bytes"], one["weight_bytes"])
                self.assertGreaterEqual(result["activation_bytes"], int(batch) * 0.9 * one["activation_bytes"])
        text = support.json.loads(self.succeeds("bench", "--stage", "text", "--random-weights", "--runs", "1", "--json", "-q").out)
        self.assertLessEqual(text["peak_device_bytes"], one["peak_device_bytes"])

    def test_stage_table(self):
        text = self.succeeds("bench", "--stage", "text", "--runs", "2").out.decode()
        for words in ("time", "median", "FLOP/s", "memory", "host"):
            self.assertIn(words, text)

    def test_stage_size(self):
        self.fails("bench", "--stage", "unet", "-W", "63", contains="63", alone=False)


class Growth(support.Case):
    def test_planned(self):
        """Nothing is measured within no time; four sizes, three batches beyond the first, and the decoder's four sizes."""
        result = support.json.loads(self.succeeds("bench", "--arch", "sd15", "--growth", "--seconds", "0", "--json", "-q", "-o", "g.png").out)
        points = result["points"]
        self.assertEqual((result["path"], result["measured"], len(points)), ("g.png", 0, 11))
        self.assertEqual([(p["stage"], p["size"], p["batch_size"]) for p in points[:7]],
                         [("unet", 256 * n, 1) for n in (1, 2, 3, 4)] + [("unet", 256, n) for n in (2, 4, 8)])
        self.assertTrue(all(p["seconds"] is None and p["flops"] > 0 for p in points))
        # PORTABILITY's table: a step with guidance is twice 0.180 and 0.803 TFLOP, the decoder at 512 x 512 2.51.
        for index, flops in ((0, 0.36e12), (1, 1.606e12), (8, 2.51e12)):
            self.assertAlmostEqual(points[index]["flops"] / flops, 1, delta=0.02)
        width, height, pixels = support.read_png(self.dir / "g.png")
        self.assertGreater(min(width, height), 1000)
        self.assertGreater(len(set(pixels)), 16)

    def test_measured(self):
        result = support.json.loads(self.succeeds("bench", "--random-weights", "--growth", "--seconds", "0.01", "--json", "-q").out)
        self.assertEqual(result["path"], "growth.png")
        measured = [p for p in result["points"] if p["seconds"]]
        self.assertEqual(measured, result["points"][:1])
        self.assertGreater(measured[0]["peak_device_bytes"], measured[0]["activation_bytes"])

    def test_wrong(self):
        self.fails("bench", "--growth", "--stage", "unet", code=2, contains=["--growth", "--stage"])
        self.fails("bench", "--growth", "-o", "nowhere/g.png", contains="nowhere")


class Shaders(support.Case):
    def test_json(self):
        result = support.json.loads(self.succeeds("shaders", "--stats", "--json", "--dtype", "f32").out)
        self.assertEqual((result["dtype"], result["width"], result["height"], result["batch_size"]), ("f32", 64, 64, 1))
        shaders = result["shaders"]
        # The same dispatches as the plan counts.
        plan = support.json.loads(self.succeeds("inspect", "--json", "--dtype", "f32").out)["memory"]["stages"]
        # What of the UNet depends on the prompt alone is a stage of its own there.
        for name, stages in (("text", plan[:1]), ("unet", plan[1:3]), ("vae", plan[3:])):
            for key in ("dispatches", "flops"):
                self.assertEqual(sum(shader[key][name] for shader in shaders), sum(stage[key] for stage in stages), name)
        self.assertGreater(sum(shader["dispatches"]["encode"] for shader in shaders), 0)
        self.assertEqual(len({(shader["shader"], str(shader["constants"])) for shader in shaders}), len(shaders))
        work = [sum(shader["flops"].values()) for shader in shaders]
        self.assertEqual(work, sorted(work, reverse=True))
        for shader in shaders:
            self.assertIn("local_size_x", shader["constants"])
            self.assertGreater(shader["spirv_bytes"], 0)
            self.assertTrue(shader["layer"])
            self.assertEqual(bool(shader["executables"]), result["has_statistics"])
        self.assertTrue(all(shader["constants"]["TM"] for shader in shaders if shader["shader"].startswith("conv2d")))

    def test_table(self):
        text = self.succeeds("shaders", "--stats").out.decode()
        self.assertIn("pipelines", text.splitlines()[0])
        self.assertIn("conv2d", text)
        if '"has_statistics": false' in self.succeeds("shaders", "--json").out.decode():
            self.assertIn("VK_KHR_pipeline_executable_properties", text)

    def test_spirv(self):
        (self.dir / "out").mkdir()
        listed = support.json.loads(self.succeeds("shaders", "--spirv", "out", "--json").out)["shaders"]
        for shader in listed:
            words = (self.dir / "out" / (shader["shader"] + ".spv")).read_bytes()
            self.assertEqual(words[:4], b"\x03\x02\x23\x07", "SPIR-V's first word")
            self.assertEqual(len(words), shader["spirv_bytes"])
        self.assertEqual(len(list((self.dir / "out").iterdir())), len({shader["shader"] for shader in listed}))
        self.fails("shaders", "--spirv", "nowhere", contains="nowhere")

    def test_arguments(self):
        self.fails("shaders", "--arch", "sd99", code=2, contains=["sd99", "sd15"])
        self.fails("shaders", "--arch", "sd15", "-m", "model", contains=["model", "sd15"])
        self.fails("shaders", "-W", "63", contains="63")
        self.fails("shaders", "--size", "64x63", contains="63")
        self.fails("shaders", "--size", "64x64", "-W", "64", code=2, contains=["--size", "--width"])
        for command in ("shaders", "bench", "profile"):
            for size in ("64", "64x", "64x64x64", "0x64", "-8x64", "64x99999999999"):
                self.fails(command, "--size", size, code=2, contains=[size, "WIDTHxHEIGHT"])

    def test_size(self):
        """One spelling for all that take a shape, and the drawing commands' own."""
        for words in (["--size", "72x40"], ["-W", "72", "-H", "40"]):
            result = support.json.loads(self.succeeds("shaders", "--json", *words).out)
            self.assertEqual((result["width"], result["height"]), (72, 40))
            bench = support.json.loads(self.succeeds("bench", "--stage", "vae", "--runs", "1", "--json", *words).out)
            self.assertEqual(bench["size"], [72, 40])


class Roof(support.Case):
    def test_roof(self):
        roof = support.json.loads(self.succeeds("bench", "--roof", "--runs", "1", "--json", "-q").out)["roof"]
        self.assertGreater(roof["gemm_f32_flops"], 1e6)
        self.assertGreater(roof["copy_bytes_per_second"], 1e6)
        self.assertIn("gemm_f16_flops", roof)


if __name__ == "__main__":
    support.main()
