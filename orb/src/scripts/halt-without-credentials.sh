# Ends the job well where there is no server to ask: no context, or a pull request from a fork.
# ORGANIZATION: its name, or empty where the variables have none in front.
name=$(printf %s "${ORGANIZATION:-}" | tr a-z- A-Z_)
url=$(printenv "${name}_CIRCLECI_SCIM_URL" || printenv CIRCLECI_SCIM_URL || true)
if [ -z "$url" ]; then
    echo "There is no server to ask: no context, or a pull request from a fork."
    circleci-agent step halt
fi
