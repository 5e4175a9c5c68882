"""Documentation runs: the code blocks of README.md and docs/*.md are carried out as a reader would.

`bash` and `python` blocks of a page run in order, in one folder, with one shell, until the first that fails. A block
after `<!-- file: NAME -->` is written to that file; one after `<!-- not run: why -->` is left out, the reason printed.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
PAGE_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 15.0
WHAT_A_READER_HAS = ("calibration", "models", "proto")
"""Folders of the checkout that a page may use; copied, so that a page may also write to them."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block; `note` is the HTML comment before it, `line` its first line in the page."""

    line: int
    language: str
    text: str
    note: str


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page in Markdown, in order."""
    fence = re.compile(r"^(?:<!-- *([^\n]*?) *-->\n+)?```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(line=page.count("\n", 0, match.start(3)) + 1, note=match[1] or "", language=match[2], text=match[3])
        for match in fence.finditer(page)
    ]


def script_of(page: str, folder: Path) -> str:
    """The page as one bash script; the texts of files and Python blocks are laid in `folder`."""
    lines = ["set -euo pipefail"]
    for block in blocks_of(page):
        text = folder / f".line-{block.line}"
        text.write_text(block.text)
        if block.note.startswith("not run:"):
            lines.append(f"echo {shlex.quote(f'== line {block.line}: {block.note}')}")
            continue
        if block.note.startswith("file:"):
            target = shlex.quote(block.note.removeprefix("file:").strip())
            lines += [f'mkdir -p "$(dirname {target})"', f"cp {text.name} {target}"]
        elif block.language in ("bash", "python"):
            lines.append(f"echo '== line {block.line}'")
            lines.append(block.text if block.language == "bash" else f"python {text.name}")
    return "\n".join([*lines, "echo '== the end'"])


def stop(shell: subprocess.Popen[bytes]) -> None:
    """Ends a shell and all that is left of its process group: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, number)
            while time.monotonic() < deadline:
                shell.poll()  # else it would stay in its group, dead
                os.killpg(shell.pid, 0)
                time.sleep(0.02)


def carry_out(page: str, folder: Path, *, timeout_s: float = PAGE_TIMEOUT_S) -> str:
    """Runs a page in `folder` and ends what it left running; returns all that was printed.

    Raises: AssertionError, with what was printed, when a block fails or the page takes too long.
    """
    script = script_of(page, folder)
    printed = folder / ".printed"
    with printed.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, with whatever it starts in the background
        )
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                shell.wait(timeout=timeout_s)
        finally:
            ended = shell.poll()
            stop(shell)
    text = printed.read_text(errors="replace")
    assert ended is not None, f"still running after {timeout_s:.0f} s:\n{text}"
    assert ended == 0, f"a block failed with {ended}:\n{text}"
    assert "== the end" in text, f"the page left its shell early:\n{text}"
    return text


@pytest.mark.timeout(PAGE_TIMEOUT_S + 60)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_blocks_of_a_page_run(document: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in WHAT_A_READER_HAS:
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    text = carry_out(document.read_text(), tmp_path)
    with capsys.disabled():
        for line in re.findall(r"^== (line \d+: not run: .*)$", text, flags=re.MULTILINE):
            sys.stdout.write(f"\n  {document.relative_to(REPOSITORY)}, {line}")


SAMPLE = """# A page

<!-- file: stations/mine.toml -->
```toml
line_id = "a"
```

```bash
greeting=hello
sleep 60 &
echo $! > pid
```

```python
from pathlib import Path
print(Path("stations/mine.toml").read_text())
```

<!-- not run: it would say no -->
```bash
false
```

```text
false
```

```bash
echo "$greeting again"
```
"""


def test_a_page_runs_in_order_in_one_shell_and_what_it_started_is_ended(tmp_path: Path) -> None:
    text = carry_out(SAMPLE, tmp_path)
    assert re.findall(r'^(?:== line \d+: not run.*|hello again|line_id = "a")$', text, flags=re.MULTILINE) == [
        'line_id = "a"',
        "== line 21: not run: it would say no",
        "hello again",
    ]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    "block",
    ["```bash\nfalse | cat\n```\n", "```python\nraise SystemExit(3)\n```\n", "```bash\necho $nothing_here\n```\n"],
)
def test_a_page_with_a_block_that_fails_fails(block: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a block failed"):
        carry_out(f"{block}\n```bash\ntouch reached\n```\n", tmp_path)
    assert not (tmp_path / "reached").exists()


def test_a_page_that_does_not_end_fails_and_is_ended(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="still running"):
        carry_out("```bash\nsleep 60\n```\n", tmp_path, timeout_s=0.3)
