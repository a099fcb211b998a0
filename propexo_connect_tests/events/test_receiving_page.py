"""The snippets of docs/receiving-events.md, run as they stand there against events that we signed."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from propexo_connect.events.signing import hex_headers, standard_headers
from propexo_connect_tests.events.kit import OLD_SECRET, SECRET

PAGE = Path(__file__).parents[2] / "docs" / "receiving-events.md"
BODY = '{"type":"data.new","timestamp":"2026-03-02T12:00:00+00:00","data":{"name":"Ünit 7"}}'.encode()


@dataclass(frozen=True)
class Language:
    """How a snippet is run: it is followed by `driver`, which reads one case and ends with 0 or 1."""

    heading: str
    program: str
    file: str
    driver: str
    command: tuple[str, ...] = ()


PYTHON = """
import json as _json, sys as _sys
_case = _json.load(_sys.stdin)
try:
    assert verify(_case["secret"], _case["headers"], _case["body"].encode())["type"] == "data.new"
except Exception as error:
    _sys.exit(f"refused: {error}")
"""
NODE = """
const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
try { verify(given.secret, given.headers, Buffer.from(given.body)); } catch (error) { process.exit(1); }
"""
GO = """
func main() {
	var given struct {
		Secret, Body string
		Headers      map[string]string
	}
	if json.NewDecoder(os.Stdin).Decode(&given) != nil {
		os.Exit(2)
	}
	if verify(given.Secret, given.Headers, []byte(given.Body)) != nil {
		os.Exit(1)
	}
}
"""
RUBY = """
given = JSON.parse($stdin.read)
begin verify(given["secret"], given["headers"], given["body"]) rescue exit(1) end
"""
PHP = """
$given = json_decode(stream_get_contents(STDIN), true);
try { verify($given['secret'], $given['headers'], $given['body']); } catch (Throwable $error) { exit(1); }
"""

LANGUAGES = (
    Language("Python with the package", "python", "verify.py", PYTHON),
    Language("Python alone", "python", "verify.py", PYTHON),
    Language("JavaScript (Node)", "node", "verify.js", NODE),
    Language("Go", "go", "verify.go", GO, ("run",)),
    Language("Ruby", "ruby", "verify.rb", RUBY),
    Language("PHP", "php", "verify.php", PHP),
)


def snippet(heading: str) -> str:
    """The code that stands below a heading."""
    found = re.search(rf"^### {re.escape(heading)}.*?^```\w+\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert found is not None, heading
    return found[1]


def accepts(language: Language, folder: Path, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the snippet takes an event for ours."""
    program = sys.executable if language.program == "python" else shutil.which(language.program)
    if program is None:
        pytest.skip(f"there is no {language.program} on this machine")
    code = snippet(language.heading)
    if language.program == "go":
        code = code.replace('"encoding/base64"', '"encoding/base64"\n\t"encoding/json"\n\t"os"')
    file = folder / language.file
    file.write_text(code + language.driver)
    case = json.dumps({"secret": secret, "headers": dict(headers), "body": body.decode()})
    done = subprocess.run(
        [program, *language.command, str(file)],
        input=case,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.heading)
def test_a_snippet_takes_what_is_ours_and_nothing_else(language: Language, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    headers = standard_headers("evt_1", now, BODY, [SECRET])
    foreign = {**headers, "webhook-signature": Webhook(SECRET).sign("evt_1", now, BODY.decode())}
    both = standard_headers("evt_1", now, BODY, [OLD_SECRET, SECRET])
    old = standard_headers("evt_1", now - timedelta(minutes=6), BODY, [SECRET])
    assert accepts(language, tmp_path, headers, BODY, SECRET)
    assert accepts(language, tmp_path, foreign, BODY, SECRET)
    assert accepts(language, tmp_path, both, BODY, SECRET)
    assert not accepts(language, tmp_path, headers, BODY, OLD_SECRET)
    assert not accepts(language, tmp_path, headers, BODY + b" ", SECRET)
    assert not accepts(language, tmp_path, {**headers, "webhook-id": "evt_2"}, BODY, SECRET)
    assert not accepts(language, tmp_path, old, BODY, SECRET)


def test_the_shell_snippet_takes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this machine")
    body = tmp_path / "body"
    body.write_bytes(BODY)
    script = tmp_path / "verify.sh"
    script.write_text(snippet("Shell, for `signature: hex_hmac`") + '\nverify "$@"\n')

    def fits(secret: str, signatures: str) -> bool:
        command = ["sh", str(script), secret, signatures, str(body)]
        return subprocess.run(command, timeout=20, check=False).returncode == 0

    now = datetime.now(UTC)
    one = hex_headers("evt_1", now, BODY, ["hunter2"], "X")["X"]
    both = hex_headers("evt_1", now, BODY, ["other", "hunter2"], "X")["X"]
    assert fits("hunter2", one)
    assert fits("hunter2", both)
    assert not fits("hunter3", both)
    body.write_bytes(BODY + b" ")
    assert not fits("hunter2", one)
