/* fuzz_operators.c - libFuzzer on what operations do with any operands: values that are none, lists
 * cut short, rows that nobody wrote, numbers of any size. Each ends with an error, or with a result
 * that fits into its room and that further operations take.
 *
 * An input is a row of operations: an operator, and its operands. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/packed.h"
#include "tests/fuzz/reader.h"

#define STEPS_MAX 8
/* Operations on small integers alone can ask for much: these are carried out for small ones only,
 * and for others the room is asked for. */
#define SMALL_MAX 3000
/* And nothing is made that is longer: products of products of an input have some 100 KiB. */
#define ROOM_MAX ((size_t)1 << 20)

struct results {
    struct blob *at[STEPS_MAX * OPERANDS_MAX]; /* owned: results, and operands that were made */
    size_t n;
};

static struct blob *keep(struct results *results, struct blob *blob)
{
    assert(results->n < STEPS_MAX * OPERANDS_MAX);
    return results->at[results->n++] = blob;
}

/* --- operands --- */

static struct blob *any_bytes(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, reader_byte(reader));
    return blob_copy(bytes.at, bytes.len);
}

static struct blob *any_integer(struct reader *reader)
{
    size_t limbs = 1 + reader_below(reader, 20);
    bool negative = reader_below(reader, 2);
    struct blob *blob = blob_new(integer_room(limbs));
    struct slice bytes = reader_bytes(reader, limbs * INTEGER_LIMB_BYTES);
    memset(blob->at, 0, blob->len);
    if (bytes.len)
        memcpy(blob->at, bytes.at, bytes.len);
    integer_end(blob, limbs, negative);
    return blob;
}

/* Items of a length each. */
static struct blob *any_list(struct reader *reader)
{
    size_t n = reader_below(reader, 40), each = reader_below(reader, 20);
    uint8_t list[40 * (BYTES_LENGTH + 1 + 20)];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        bool negative = !reader_below(reader, 16);
        len += packed_put(list + len, negative, reader_bytes(reader, each));
    }
    return blob_copy(list, len);
}

/* True: the operand is a large number. */
static bool take_operand(struct reader *reader, struct results *results,
                         struct compute_operand *out)
{
    *out = (struct compute_operand){.kind = OPERAND_BLOB};
    switch (reader_below(reader, 6)) {
    case 0:
        out->kind = OPERAND_LITERAL;
        out->literal = (reader_byte(reader) << 8 | reader_byte(reader)) % SMALL_MAX;
        return false;
    case 1:
        out->kind = OPERAND_LITERAL;
        out->literal = reader_u64(reader);
        return out->literal >= SMALL_MAX;
    case 2:
        out->blob = keep(results, any_bytes(reader));
        return false;
    case 3:
        out->blob = keep(results, any_integer(reader));
        return false;
    case 4:
        out->blob = keep(results, any_list(reader));
        return false;
    default:
        out->blob = results->n ? results->at[reader_byte(reader) % results->n] : NULL;
        return false;
    }
}

/* --- operations --- */

static bool is_integer(enum opcode opcode)
{
    const struct operator_traits *traits = operator_traits(opcode);
    return !traits->conversion && !traits->program && opcode != OPCODE_GCDS &&
           opcode != OPCODE_GATHER && opcode != OPCODE_PIECE && opcode != OPCODE_JOIN;
}

/* A new result, or NULL. */
static struct blob *execute(const struct compute_op *op, size_t room)
{
    struct blob *out = blob_new(room);
    struct computed computed = {0};
    mpz_t view;
    bool whole = operation_into(op, out, ROOM_MAX, &computed, NULL);
    assert(whole == !computed.error);
    if (!whole) {
        blob_drop(&out);
        return NULL;
    }
    assert(out->len <= room && computed.len == out->len && computed.operations > 0);
    assert(!is_integer(op->opcode) || !integer_read(out, view));
    return out;
}

static void step(struct reader *reader, struct results *results)
{
    struct compute_op op = {.opcode = reader_below(reader, OPCODES)};
    bool large = false;
    size_t room;
    if (operator_traits(op.opcode)->over_leaves && !reader_below(reader, 4)) {
        op.first = reader_u64(reader);
        op.count = reader_u64(reader) >> reader_below(reader, 64);
        large = op.count > SMALL_MAX;
    } else {
        op.n_operands = 1 + reader_below(reader, OPERANDS_MAX);
    }
    for (size_t i = 0; i < op.n_operands; i++)
        large |= take_operand(reader, results, &op.operands[i]);
    struct blob *out = NULL;
    if (!operation_room(&op, &room) && !large && room <= ROOM_MAX)
        out = execute(&op, room);
    if (out && results->n < STEPS_MAX * OPERANDS_MAX)
        keep(results, out);
    else
        blob_drop(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct reader reader = {at, len};
    struct results results = {0};
    for (size_t i = 0; i < STEPS_MAX && reader.left; i++)
        if (results.n + OPERANDS_MAX < STEPS_MAX * OPERANDS_MAX)
            step(&reader, &results);
    while (results.n)
        blob_drop(&results.at[--results.n]);
    return 0;
}
