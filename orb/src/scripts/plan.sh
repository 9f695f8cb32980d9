# Plans for `apply`. A plan that a guardrail refuses, or that is not all of the policy, is a plan, too.
# POLICY: the organization's folder. RECONCILER: how to call the program.
mkdir -p handover
code=0
${RECONCILER:-reconciler} plan "$POLICY" --out handover/plan.json --report plan.md || code=$?
case $code in
    0 | 4 | 6) test -s handover/plan.json || exit "$code" ;;
    *) exit "$code" ;;
esac
