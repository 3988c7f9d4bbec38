"""Comments of contracts."""

from pathlib import Path

import pytest

from gateway.comments import first_sentence, read_comments
from tests.support.studio import compile_protos

_SOURCE = """
syntax = "proto3";
package commented;

// Greets.
// In two lines.
//
// - one
// - two
service S {
  // Says hello.
  // buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
  rpc Hello(M) returns (M);
}
// (-- api-linter: core::0131=disabled --)
// A message.
message M {
  // A field.
  string f = 1;
  int32 silent = 2;
  // Inside.
  message N {
    // Deeper.
    bool g = 1;
  }
  // Choices.
  enum E {
    // None.
    E_UNSPECIFIED = 0;
  }
}
"""


@pytest.fixture(scope="module")
def comments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("protos")
    (folder / "commented.proto").write_text(_SOURCE)
    path = folder / "set.binpb"
    path.write_bytes(compile_protos(folder, "commented.proto").SerializeToString())
    return read_comments(path)


def test_every_declaration_is_found(comments: dict[str, str]) -> None:
    assert comments == {
        "commented.S": "Greets. In two lines.\n\n- one\n- two",
        "commented.S.Hello": "Says hello.",
        "commented.M": "A message.",
        "commented.M.f": "A field.",
        "commented.M.N": "Inside.",
        "commented.M.N.g": "Deeper.",
        "commented.M.E": "Choices.",
        "commented.M.E.E_UNSPECIFIED": "None.",
    }


def test_no_file_is_no_comments(tmp_path: Path) -> None:
    assert read_comments(None) == {}
    assert read_comments(tmp_path / "missing.binpb") == {}


@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        ("Gets a photo. Or not.", "Gets a photo"),
        ("Gets version 1.5 of it.", "Gets version 1.5 of it"),
        ("No stop", "No stop"),
        ("", ""),
    ],
)
def test_first_sentence(comment: str, sentence: str) -> None:
    assert first_sentence(comment) == sentence
