# Carries the plan out. Where a guardrail refuses it and approval can be asked for, that is for the next job to do.
# APPROVAL: whether there is such a job (true or 1). RECONCILER: how to call the program.
code=0
${RECONCILER:-reconciler} apply handover/plan.json || code=$?
case "$code ${APPROVAL:-}" in
    "4 true" | "4 1")
        echo "Refused by a guardrail: nothing was written, and approval is asked for."
        touch handover/refused
        ;;
    *) exit "$code" ;;
esac
