#include "shared/tasks/template.h"

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

static struct slice part(struct slice whole, size_t from, size_t to)
{
    return (struct slice){whole.at + from, to - from};
}

/* --- forms --- */

/* Where the last component begins: after the last slash. */
static size_t base_at(struct slice path)
{
    size_t at = path.len;
    while (at && path.at[at - 1] != '/')
        at--;
    return at;
}

static struct slice without_extension(struct slice path)
{
    size_t base = base_at(path);
    for (size_t at = path.len; at-- > base + 1;)
        if (path.at[at] == '.')
            return part(path, 0, at);
    return path;
}

/* But the root is its slash. */
static struct slice without_slashes(struct slice path)
{
    while (path.len > 1 && path.at[path.len - 1] == '/')
        path.len--;
    return path;
}

static struct slice directory_of(struct slice path)
{
    path = without_slashes(path);
    size_t base = base_at(path);
    if (!base)
        return slice_of(".");
    return without_slashes(part(path, 0, base));
}

static struct slice base_of(struct slice path)
{
    path = without_slashes(path);
    return path.len == 1 ? path : part(path, base_at(path), path.len);
}

struct slice template_form(struct slice input, enum piece_form form)
{
    switch (form) {
    case FORM_STEM:
        return without_extension(input);
    case FORM_BASE:
        return base_of(input);
    case FORM_DIRECTORY:
        return directory_of(input);
    case FORM_BASE_STEM:
        return without_extension(base_of(input));
    case FORM_WHOLE:
        break;
    }
    return input;
}

/* --- pieces --- */

void template_begin(struct template_walk *walk, const struct wire_task_spec *spec,
                    struct slice word, bool shell)
{
    *walk = (struct template_walk){.spec = spec, .rest = word, .shell = shell};
}

/* Which input the text names: a name goes before a number. */
static bool find_input(const struct wire_task_spec *spec, struct slice text, struct piece *out)
{
    uint64_t number;
    out->all = !text.len;
    if (!text.len)
        return true;
    for (out->input = 0; out->input < spec->names.n; out->input++)
        if (slice_same(spec->names.at[out->input].text, text))
            return true;
    if (text.at[0] == '0' || parse_u64(text, spec->inputs, &number) || !number)
        return false;
    out->input = (size_t)number - 1;
    return true;
}

/* Reads what stands between braces. */
static bool read_braces(const struct wire_task_spec *spec, struct slice text, struct piece *out)
{
    static const struct {
        const char *suffix;
        enum piece_form form;
    } forms[] = {{"", FORM_WHOLE},
                 {"//", FORM_DIRECTORY},
                 {"/.", FORM_BASE_STEM},
                 {"/", FORM_BASE},
                 {".", FORM_STEM}};
    if (slice_equals(text, "#")) {
        out->kind = PIECE_TASK;
        return true;
    }
    out->kind = PIECE_INPUT;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct slice suffix = slice_of(forms[i].suffix);
        out->form = forms[i].form;
        if (text.len >= suffix.len &&
            slice_same(part(text, text.len - suffix.len, text.len), suffix) &&
            find_input(spec, part(text, 0, text.len - suffix.len), out))
            return true;
    }
    return false;
}

/* Returns how many bytes the placeholder has that begins here; 0: none does. */
static size_t read_placeholder(struct template_walk *walk, struct slice rest, struct piece *out)
{
    size_t end = 1;
    if (rest.at[0] != '{' || (walk->shell && (walk->scan.escaped || walk->scan.last == '$')))
        return 0;
    while (end < rest.len && end <= TASK_NAME_MAX + 2 && rest.at[end] != '}' && rest.at[end] != '{')
        end++;
    if (end >= rest.len || rest.at[end] != '}' || !read_braces(walk->spec, part(rest, 1, end), out))
        return 0;
    return end + 1;
}

bool template_next(struct template_walk *walk, struct piece *out)
{
    struct slice rest = walk->rest;
    size_t at = 0, len = 0;
    if (!rest.len)
        return false;
    for (; at < rest.len; at++) {
        *out = (struct piece){.plain = shell_scan_is_plain(&walk->scan)};
        len = read_placeholder(walk, part(rest, at, rest.len), out);
        if (len)
            break;
        if (walk->shell)
            shell_scan_byte(&walk->scan, rest.at[at]);
    }
    if (at) { /* the text before it */
        *out = (struct piece){.kind = PIECE_TEXT, .text = part(rest, 0, at)};
        walk->rest = part(rest, at, rest.len);
        return true;
    }
    if (walk->shell) /* it stands for a word */
        shell_scan_byte(&walk->scan, 'x');
    out->text = part(rest, 0, len);
    walk->rest = part(rest, len, rest.len);
    return true;
}
