"""The rules of `config` whose guards are easily lost, each with the test that guards it."""

from tests.prove import Change, Protection

SERVING = "config/operate/serving.py"
SUPERVISOR = "config/embedded/supervisor.py"
CLIENT = "config/embedded/client.py"


def rule(rule_id: str, sentence: str, test: str, *changes: Change) -> Protection:
    """Return the protection; `test` is file::test below tests/config."""
    return Protection(rule_id, sentence, changes, f"tests/config/{test}")


PROTECTIONS = [
    rule(
        "proxy-headers-cleared",
        "X-Forwarded-* and Forwarded of a peer that nobody trusts do not reach the application.",
        "operate/test_serving.py::test_proxy_headers_of_an_untrusted_peer_are_ignored",
        Change(SERVING, "clear_untrusted_proxy_headers=True", "clear_untrusted_proxy_headers=False"),
    ),
    rule(
        "body-bounded",
        "The web server refuses a body that is too large before it is sent.",
        "operate/test_serving.py::test_a_body_that_is_too_large_is_refused_before_it_is_sent",
        Change(SERVING, "        max_request_body_size=MAX_BODY_BYTES,\n"),
    ),
    rule(
        "local-key-ends",
        "The key of `up.json` lets nobody in once the server has closed.",
        "operate/test_serving.py::test_the_local_key_lets_nobody_in_once_the_server_has_closed",
        Change(SERVING, '            local_key.value = ""\n'),
    ),
    rule(
        "note-withdrawn",
        "The note of a dead server is removed before another one answers on the same socket.",
        "embedded/test_restart.py::test_a_restarted_server_that_answers_is_reached_only_by_its_own_note",
        Change(SUPERVISOR, "                self._withdraw_note()\n", "                pass\n"),
    ),
    rule(
        "note-still-stands",
        "An answer counts only if the note by which it was reached still stands afterwards.",
        "embedded/test_restart.py::test_a_note_that_is_replaced_while_we_connect_is_read_again",
        Change(CLIENT, " if state.read_note(folder) == note else None", ""),
    ),
    rule(
        "restart-not-refusal",
        "A server that died under a connection and was replaced at once is not taken for one that refuses us.",
        "embedded/test_restart.py::test_a_server_that_dies_while_we_connect_and_is_back_at_once_is_no_refusal",
        Change(CLIENT, " or state.read_note(folder) != note:", ":"),
    ),
]
