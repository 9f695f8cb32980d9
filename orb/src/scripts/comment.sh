# Comments with the plan, if there is one: in a comment for each container that has something to plan for.
# RECONCILER: how to call the program.
if [ ! -e plan.md ] || { [ -e plan.json ] && ! grep -q '"fingerprint"' plan.json; }; then
    echo "There is no plan to comment with."
    exit 0
fi
name=plan
if [ "${CIRCLE_NODE_TOTAL:-1}" != 1 ]; then
    name=plan-$CIRCLE_NODE_INDEX-of-$CIRCLE_NODE_TOTAL
fi
${RECONCILER:-reconciler} comment plan.md --name "$name"
