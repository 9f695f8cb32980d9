# Carries the plan out. Where a guardrail refuses it and approval can be asked for, that is for the next job to do.
# APPROVAL: whether there is such a job (true or 1). RECONCILER: how to call the program.
mine=handover/${CIRCLE_NODE_INDEX:-0}
code=0
${RECONCILER:-reconciler} apply "$mine/plan.json" || code=$?
case "$code ${APPROVAL:-}" in
    "4 true" | "4 1")
        echo "Refused by a guardrail: nothing was written, and approval is asked for."
        touch "$mine/refused"
        ;;
    *) exit "$code" ;;
esac
