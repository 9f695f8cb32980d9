# Fails where a guardrail refused a plan, in whichever container, so that approval is asked for then, and only then.
for refused in handover/*/refused; do
    [ -e "$refused" ] || continue
    echo "A guardrail refused the plan, which is shown by the job before. Approve, to carry out just that plan."
    echo "What no approval covers, such as the floor of admins, is refused again: change the policy."
    exit 1
done
