"""The tests in docs/testing.md pass, as a user would run them; its table names every fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import router
from router.testing import faults

ROOT = Path(router.__file__).parent.parent
GUIDE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tests_in_the_guide_pass(tmp_path: Path) -> None:
    code = "\n\n".join(FENCE.findall(GUIDE))
    (tmp_path / "test_service.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "pytest_region_router"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, check=False, text=True
    )
    assert code.count("def test_") >= 6
    assert f"{code.count('def test_')} passed" in ran.stdout, ran.stdout


def test_the_guide_and_the_module_name_every_fault() -> None:
    for name in set(faults.__all__) - {"Fault"}:
        assert f"| `{name}(" in GUIDE
        assert f"| `{name}(" in (faults.__doc__ or "")
