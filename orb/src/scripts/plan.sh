# Plans for `apply`. A plan that a guardrail refuses, or that is not all of the policy, is a plan, too.
# POLICY: the organization's folder. RECONCILER: how to call the program.
mine=handover/${CIRCLE_NODE_INDEX:-0}
mkdir -p "$mine"
code=0
${RECONCILER:-reconciler} plan "$POLICY" --out "$mine/plan.json" --report plan.md || code=$?
case $code in
    0 | 4 | 6) test -s "$mine/plan.json" || exit "$code" ;;
    *) exit "$code" ;;
esac
