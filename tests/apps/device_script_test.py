# SPDX-License-Identifier: Apache-2.0
"""scripts/device on a machine without a GPU: packs a build, refuses clearly, and runs beside a pretended GPU."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(sys.argv.pop(1))
TESTS = """\
add_test(passes "{build}/bin/say" "fine" "{source}/tests/parity/case")
set_tests_properties(passes PROPERTIES LABELS "apps;gpu" ENVIRONMENT "WORD=well")
add_test(fails "{build}/bin/break")
set_tests_properties(fails PROPERTIES LABELS "gpu")
add_test(skips "{build}/bin/say" "no such GPU")
set_tests_properties(skips PROPERTIES LABELS "gpu" SKIP_REGULAR_EXPRESSION "no such")
add_test(hangs "{build}/bin/wait" "100")
set_tests_properties(hangs PROPERTIES LABELS "gpu" TIMEOUT "0.2")
add_test(absent "{build}/bin/absent")
set_tests_properties(absent PROPERTIES LABELS "gpu")
add_test(other "{build}/bin/say" "other")
set_tests_properties(other PROPERTIES LABELS "apps")
"""


class Device(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.root / "scripts").mkdir()
        shutil.copy2(SCRIPT, self.root / "scripts/device")
        build = self.root / "build/gpu"
        (build / "bin").mkdir(parents=True)
        for name, like in (("say", "echo"), ("break", "false"), ("wait", "sleep")):
            shutil.copy2(shutil.which(like), build / "bin" / name)
        case = self.root / "tests/parity/case"
        case.mkdir(parents=True)
        (case / "model.json").write_text("{}")
        (build / "CTestTestfile.cmake").write_text(TESTS.format(build=build, source=self.root))
        identity = ("-c", "user.name=t", "-c", "user.email=t@t")
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], cwd=self.root, check=True)
        # A machine with a GPU, as far as the script looks.
        self.pretended = self.root / "pretended"
        (self.pretended / "torch").mkdir(parents=True)
        (self.pretended / "torch/__init__.py").write_text("")
        (self.pretended / "nvidia-smi").write_text("#!/bin/sh\necho A GPU, 1 MiB, 1.0\n")
        (self.pretended / "nvidia-smi").chmod(0o755)

    def call(self, *command, **variables):
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **variables)
        return subprocess.run([sys.executable, *command], cwd=self.root, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

    def pack(self, *options):
        return self.call("scripts/device", "pack", *options)

    def run_there(self, *options):
        return self.call("build/device/device", "run", *options, PYTHONPATH=str(self.pretended),
                         PATH=f"{self.pretended}:{os.environ['PATH']}")

    def test_packs_programs_and_the_files_that_tests_name(self):
        packed = self.pack()
        self.assertEqual(packed.returncode, 0, packed.stdout)
        self.assertIn("not built, so not packed: absent", packed.stdout)
        folder = self.root / "build/device"
        listed = {t["name"]: t for t in json.loads((folder / "tests.json").read_text())["tests"]}
        self.assertEqual(sorted(listed), ["fails", "hangs", "passes", "skips"])
        self.assertEqual(listed["passes"]["command"],
                         ["{folder}/bin/say", "fine", "{folder}/tests/parity/case"])
        self.assertTrue((folder / "tests/parity/case/model.json").exists())
        self.assertTrue(os.access(folder / "bin/say", os.X_OK))

    def test_refuses_what_is_too_large_and_what_is_not_built(self):
        self.assertEqual(self.pack("--limit-mib", "0.001").returncode, 6)
        refused = self.pack("--preset", "other")
        self.assertEqual(refused.returncode, 6)
        self.assertIn("cmake --build --preset other", refused.stdout)

    def test_says_what_to_do_without_a_gpu_or_a_packed_folder(self):
        refused = self.call("scripts/device", "run")
        self.assertEqual(refused.returncode, 6)
        self.assertIn("scripts/device pack", refused.stdout)
        self.pack()
        refused = self.call("build/device/device", "run", PATH="/nowhere")
        self.assertEqual(refused.returncode, 6)
        self.assertIn("no GPU can be used here: there is no nvidia-smi", refused.stdout)

    def test_runs_what_is_packed_and_keeps_all_output(self):
        self.pack()
        ran = self.run_there("--out", "results")
        self.assertEqual(ran.returncode, 1, ran.stdout)
        self.assertIn("GPU: A GPU", ran.stdout)
        self.assertIn("1 of 4 passed, 1 skipped, 2 failed", ran.stdout)
        results = json.loads((self.root / "results/gpu.json").read_text())["results"]
        self.assertEqual({r["name"]: r["outcome"] for r in results},
                         {"passes": "passed", "fails": "failed (1)", "skips": "skipped", "hangs": "timeout"})
        self.assertIn("fine", (self.root / "results/gpu.log").read_text())
        self.assertEqual(self.run_there("--tests", "^passes$").returncode, 0)
        self.assertIn("no packed test", self.run_there("--tests", "nothing").stdout)


if __name__ == "__main__":
    unittest.main()
