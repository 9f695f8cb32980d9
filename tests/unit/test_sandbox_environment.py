"""The environment that a command around which the sandbox runs is given."""

from reconciler.sandbox.around import environment


def test_the_command_is_shown_the_sandbox_and_no_way_to_another_server() -> None:
    inherited = {
        "PATH": "/bin",
        "CIRCLECI_SCIM_URL": "https://scim.example/v2",
        "CIRCLECI_SCIM_TOKEN_FILE": "/run/token",
        "CIRCLECI_SCIM_TOKEN_COMMAND": "vault read token",
        "CIRCLECI_SCIM_TOKEN_VAULT": "secret/circleci/scim#token",
        "ACME_CIRCLECI_SCIM_URL": "https://scim.example/acme",
        "ACME_EU_CIRCLECI_SCIM_TOKEN": "secret",
        "CIRCLECI_SCIM_NOTE": "kept",
    }
    assert environment(inherited, "http://127.0.0.1:1/v2", "t0ken") == {
        "PATH": "/bin",
        "CIRCLECI_SCIM_NOTE": "kept",
        "CIRCLECI_SCIM_URL": "http://127.0.0.1:1/v2",
        "CIRCLECI_SCIM_TOKEN": "t0ken",
    }
