"""Every house rule is shown firing on what it forbids and staying silent on what it allows."""

import subprocess
from pathlib import Path

import pytest

from tools.house_rules import check, findings_of
from tools.house_rules.source import Source

HEAD = '"""Says what the module is."""\n'
MARK = "TO" + "DO"


def broken_rules(path: str, text: str) -> set[str]:
    """The names of the rules that a file with this text breaks."""
    return {finding.rule for finding in findings_of(Source(path, text))}


PINNED = f"""# made for all platforms
msgspec==0.22.0 ; python_version > '3.10' \\
    --hash=sha256:{"0" * 64} \\
    --hash=sha256:{"1" * 64}
    # via maestro
"""

FIRING = {
    "file of 301 lines": ("services/auth/api.py", HEAD + "x = 1\n" * 300, "file-length"),
    "function of 51 lines": (
        "services/auth/api.py",
        HEAD + "def long() -> None:\n" + "    print()\n" * 50,
        "function-length",
    ),
    "no opening sentence": ("libs/common/x.py", "x = 1\n", "module-sentence"),
    "opening without an end": ("libs/common/x.py", '"""Some words"""\n', "module-sentence"),
    "two opening sentences": ("libs/common/x.py", '"""One. Two."""\n', "module-sentence"),
    "a module of utils": ("libs/common/utils.py", HEAD, "forbidden-name"),
    "a folder of helpers": ("libs/helpers/x.py", HEAD, "forbidden-name"),
    "a Manager": ("libs/common/x.py", HEAD + "class PoolManager:\n    x = 1\n", "forbidden-name"),
    "an impl": (
        "libs/common/x.py",
        HEAD + "def save_impl() -> None:\n    print()\n",
        "forbidden-name",
    ),
    "environ": ("services/auth/api.py", HEAD + "import os\nx = os.environ\n", "environment"),
    "getenv": ("libs/common/x.py", HEAD + "from os import getenv\n", "environment"),
    "a call at import": ("services/auth/api.py", HEAD + "print('here')\n", "import-work"),
    "a loop at import": ("services/auth/api.py", HEAD + "for x in ():\n    y = x\n", "import-work"),
    "a mark in a comment": ("tests/x.py", HEAD + f"x = 1  # {MARK} later\n", "unfinished"),
    "a mark in a docstring": ("tests/x.py", f'"""Works. {MARK}."""\n', "unfinished"),
    "an unwritten function": (
        "libs/common/x.py",
        HEAD + "def f() -> None:\n    raise NotImplemented" + "Error\n",
        "unfinished",
    ),
    "a body of dots": ("libs/common/x.py", HEAD + "def f() -> None: ...\n", "unfinished"),
    "a skipped test": (
        "tests/x.py",
        HEAD + "import pytest\n@pytest.mark." + "skip\ndef test_x() -> None:\n    print()\n",
        "skipped-test",
    ),
    "a test skipping itself": (
        "tests/x.py",
        HEAD + "import pytest\ndef test_x() -> None:\n    pytest." + "skip('x')\n",
        "skipped-test",
    ),
    "SQL in an api": (
        "services/auth/api.py",
        HEAD + "QUESTION = 'SELECT name FROM tenants'\n",
        "sql-place",
    ),
    "small SQL in a command": (
        "services/auth/commands.py",
        HEAD + "QUESTION = 'delete from tenants'\n",
        "sql-place",
    ),
    "an index address": ("README.md", "https://pypi" + ".org/simple\n", "index-address"),
    "a machine path": ("docs/x.md", "see /home" + "/somebody/notes\n", "machine-path"),
    "a loose pin": ("requirements/x.lock", "msgspec>=0.22\n", "lock-file"),
    "a pin without hash": ("requirements/x.lock", "msgspec==0.22.0\n", "lock-file"),
    "a pin to an address": (
        "requirements/x.lock",
        "msgspec @ https://example.org/m.whl\n",
        "lock-file",
    ),
}

BUILT = {
    "f-string": "f\"SELECT x FROM t WHERE k = '{key}'\"",
    "f-string of a piece": "f' AND {column} = $1'",
    "format": "'SELECT x FROM {}'.format(key)",
    "percent": "'SELECT x FROM t WHERE k = %s' % key",
    "plus": "'SELECT x FROM ' + key",
    "join": "' AND '.join(key)",
    "an expression in a call": "connection.fetch(f'{key}')",
}

SILENT = {
    "file of 300 lines": ("services/auth/api.py", HEAD + "x = 1\n" * 299),
    "function of 50 lines": (
        "services/auth/api.py",
        HEAD + "def long() -> None:\n" + "    print()\n" * 49,
    ),
    "an empty __init__": ("libs/__init__.py", ""),
    "a sentence over two lines": ("libs/common/x.py", '"""One sentence\nof two lines."""\n'),
    "more behind a blank line": ("libs/common/x.py", '"""One.\n\nTwo. Three.\n"""\n'),
    "a service's paragraph": ("services/auth/__init__.py", '"""Owns this. Not that."""\n'),
    "a foreign name": (
        "libs/common/x.py",
        HEAD + "from contextlib import AbstractContextManager\n",
    ),
    "simple words": ("libs/common/x.py", HEAD + "def implement() -> None:\n    print()\n"),
    "environ in an entry point": (
        "services/auth/__main__.py",
        HEAD + "import os\nx = os.environ\n",
    ),
    "environ in the embedded parts": ("libs/embedded/x.py", HEAD + "from os import environ\n"),
    "definitions only": ("libs/common/x.py", HEAD + "import os\nx = max(1, 2)\n"),
    "a protocol": (
        "libs/common/x.py",
        HEAD + "class Door(Protocol):\n    def open(self) -> None: ...\n",
    ),
    "SQL in a query": (
        "services/auth/queries/tenants.py",
        HEAD + "QUESTION = 'SELECT name FROM tenants'\n",
    ),
    "SQL in libs/common": ("libs/common/x.py", HEAD + "QUESTION = 'SELECT 1'\n"),
    "SQL in a docstring": ("services/auth/api.py", '"""SELECT a FROM b is not run here."""\n'),
    "prose that selects": ("services/auth/api.py", HEAD + "x = 'Select a run from the list'\n"),
    "prose with values": ("services/auth/api.py", HEAD + "x = f'Run {1} and model {2} or none'\n"),
    "SQL over two literals": (
        "services/auth/store.py",
        HEAD + "QUESTION = 'SELECT name FROM t ' 'WHERE tenant_no = $1'" + "\n",
    ),
    "a pin with its hash": (
        "requirements/x.lock",
        PINNED,
    ),
    "a jar with its hash": ("libs/embedded/x.lock", f"org.kafka kafka 4.4.0 {'0' * 64}\n"),
    "a container's own path": ("deploy/start.sh", "settings=/tmp" + "/settings\n"),
    "a path within the image": ("compose.yaml", "tmpfs: [/tmp]\n"),
}


@pytest.mark.parametrize("case", FIRING)
def test_rule_fires(case: str) -> None:
    """What is forbidden is found, by the rule that forbids it."""
    path, text, rule = FIRING[case]
    assert rule in broken_rules(path, text)


@pytest.mark.parametrize("case", SILENT)
def test_rules_stay_silent(case: str) -> None:
    """What is allowed is not complained about by any rule."""
    path, text = SILENT[case]
    assert broken_rules(path, text) == set()


@pytest.mark.parametrize("how", BUILT)
def test_built_sql_fires_unless_admitted(how: str) -> None:
    """SQL put together from values is found, unless a reason stands beside it."""
    text = HEAD + f"def ask(connection, key):\n    return {BUILT[how]}"
    assert "built-sql" in broken_rules("services/auth/store.py", text + "\n")
    assert "built-sql" in broken_rules("services/auth/store.py", text + "  # built-sql:\n")
    admitted = text + "  # built-sql: key is one of COLUMNS\n"
    assert broken_rules("services/auth/store.py", admitted) == set()


def test_a_function_is_admitted_as_a_whole_and_alone() -> None:
    """A marker at a `def` covers that function, not the one that follows."""
    body = "    x = f'SELECT {key}'\n    return f'{x} WHERE {key}'\n"
    admitted = "# built-sql: names are quoted here\ndef ask(key):\n" + body
    text = HEAD + admitted + "def tell(key):\n" + body
    found = findings_of(Source("services/auth/store.py", text))
    assert [(finding.rule, finding.line) for finding in found] == [
        ("built-sql", 7),
        ("built-sql", 8),
    ]


def test_new_files_are_checked_before_their_commit(tmp_path: Path) -> None:
    """A file that git does not know yet is checked; an ignored one is not."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "ignored.py").write_text("x = 1\n")
    (tmp_path / "fresh.py").write_text("x = 1\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert [finding.path for finding in check(tmp_path)] == ["fresh.py"]


def test_a_finding_says_where_and_what() -> None:
    """The printed line can be clicked: path, line, rule, text."""
    (finding,) = findings_of(Source("libs/common/x.py", "x = 1\n"))
    said = "libs/common/x.py:1: module-sentence: the module does not say what it is"
    assert str(finding) == said
