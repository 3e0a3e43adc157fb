#include "tests/harness/plans.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/work/operation.h"
#include "shared/base/memory.h"

static bool has_consumer(const struct plan *plan, op_id_t op, op_id_t wanted)
{
    op_id_t consumers[CONSUMERS_MAX];
    for (size_t i = plan_consumers(plan, op, consumers); i-- > 0;)
        if (consumers[i] == wanted)
            return true;
    return false;
}

void plans_check_inverse(const struct plan *plan)
{
    op_id_t result = plan_result(plan);
    uint64_t uses = 0, used = 0, flats = 0;
    assert_true(plan->total + 1 == result);
    for (op_id_t op = 1; op <= result; op++) {
        struct plan_operand operands[OPERANDS_MAX];
        op_id_t consumers[CONSUMERS_MAX];
        size_t n = plan_operands(plan, op, operands), results = 0;
        assert_in_range(n, 1, operator_traits(plan_opcode(plan, op))->operands_max);
        assert_true(operator_traits(plan_opcode(plan, op))->conversion == (op == result));
        for (size_t i = 0; i < n; i++) {
            if (!operands[i].op)
                continue;
            results++;
            assert_true(operands[i].op < op && has_consumer(plan, operands[i].op, op));
            for (size_t k = 0; k < i; k++)
                assert_true(operands[k].op != operands[i].op);
        }
        assert_true(plan_is_flat(plan, op) == !results);
        flats += !results;
        assert_true(!plan_is_flat(plan, op) || plan_flat_bytes(plan, op));
        size_t users = plan_consumers(plan, op, consumers);
        assert_true((users == 0) == (op == result));
        for (size_t i = 0; i < users; i++)
            for (size_t k = 0; k < i; k++)
                assert_true(consumers[k] != consumers[i]);
        uses += results;
        used += users;
    }
    assert_true(uses == used);
    assert_true(plan_cuts(plan, 0) == flats);
    for (uint64_t at = 0; at < flats; at++)
        assert_true(plan_is_flat(plan, plan_cut_at(plan, 0, at)));
}

struct blob *plans_run(const struct plan *plan)
{
    op_id_t result = plan_result(plan);
    struct blob **values = mem_new(result + 1, sizeof *values);
    for (op_id_t op = 1; op <= result; op++) {
        struct plan_operand operands[OPERANDS_MAX];
        struct compute_op compute = {.opcode = plan_opcode(plan, op)};
        struct computed computed;
        compute.n_operands = plan_operands(plan, op, operands);
        for (size_t i = 0; i < compute.n_operands; i++) {
            bool value = operands[i].op;
            compute.operands[i].kind = value ? OPERAND_BLOB : OPERAND_LITERAL;
            compute.operands[i].literal = operands[i].literal;
            compute.operands[i].blob = value ? values[operands[i].op] : NULL;
        }
        operation_run(&compute, NULL, NULL, UINT64_MAX, &computed, &values[op]);
        if (computed.error)
            fail_msg("operation %" PRIu64 ": %s", op, computed.error);
    }
    for (op_id_t op = 1; op < result; op++)
        blob_drop(&values[op]);
    struct blob *text = values[result];
    free(values);
    return text;
}
