"""Single files draw what the folders draw that they were made of."""

import os
import subprocess
import sys

import support

TINY = support.SOURCE / "tests/data/tiny"
REWRITE = support.SOURCE / "tools/reference/single_file.py"


class Files(support.Case):
    def test_as_the_folder(self):
        for name, suffix in (("sd1", "ckpt"), ("sdxl", "safetensors")):
            with self.subTest(name):
                folder, file = str(TINY / name), f"{name}.{suffix}"
                subprocess.run([sys.executable, "-B", REWRITE, folder, self.dir / file], check=True)
                common = ("txt2img", "a red cat", "-s", "3", "--steps", "2", "-q")
                self.succeeds(*common, "-m", folder, "--dump-dir", "a", "-o", "a.png")
                self.succeeds(*common, "-m", file, "--config", folder, "--dump-dir", "b", "-o", "b.png")
                names = sorted(os.listdir(self.dir / "a"))
                self.assertEqual(names, sorted(os.listdir(self.dir / "b")))
                for dump in names:
                    self.assertEqual((self.dir / "a" / dump).read_bytes(), (self.dir / "b" / dump).read_bytes(), dump)


if __name__ == "__main__":
    support.main()
