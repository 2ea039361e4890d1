/* args_text.c - options as people read them: names, origins, suggestions, help, a settings file. */
#include "base/args_internal.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/text.h"

#include <stdio.h>
#include <unistd.h>

const struct arg *args_find(const struct arg_set *set, struct slice name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (slice_eq(name, slice_str(set->rows[i].name))) {
            return &set->rows[i];
        }
    }
    return NULL;
}

static size_t args_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop or change to make b of a (Levenshtein, one row at a time). */
static size_t args_distance(struct slice a, const char *b)
{
    size_t row[ARGS_NAME_MAX + 1];
    size_t len = strlen(b);
    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t changed = diagonal + (a.data[i] == (uint8_t)b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = args_min(changed, args_min(row[j], row[j + 1]) + 1);
        }
    }
    return row[len];
}

const struct arg *args_nearest(const struct arg_set *set, struct slice name)
{
    const struct arg *best = NULL;
    size_t best_distance = name.len / 3 + 2; /* one letter wrong in a short name, more in a long one */
    for (size_t i = 0; name.len <= ARGS_NAME_MAX && i < set->n; i++) {
        size_t distance = args_distance(name, set->rows[i].name);
        if (distance < best_distance) {
            best = &set->rows[i];
            best_distance = distance;
        }
    }
    return best;
}

const char *args_allowed(enum arg_kind kind)
{
    switch (kind) {
    case ARG_SWITCH:
        return "1, 0, true or false";
    case ARG_TEXT:
        return "text";
    case ARG_U64:
        return "a whole number";
    case ARG_DURATION:
        return "a duration such as 250ms, 5s, 2m or 1h";
    case ARG_SIZE:
        return "a size such as 4096, 64K, 1M or 2G";
    }
    return "";
}

void args_put_env_name(const struct arg_set *set, const struct arg *row, struct buf *out)
{
    buf_put_text(out, set->env_prefix);
    for (const char *c = row->name; *c != '\0'; c++) {
        bool lower = *c >= 'a' && *c <= 'z';
        buf_put_u8(out, (uint8_t)(*c == '-' ? '_' : lower ? *c - 'a' + 'A' : *c));
    }
}

void args_put_place(const struct arg_file *file, unsigned line, struct buf *out)
{
    text_escape(slice_str(file->name), SIZE_MAX, out);
    buf_printf(out, ":%u: ", line);
}

void args_put_origin(const struct arg_set *set, const struct arg *row, const struct arg_origin *origin,
                     const struct arg_file *file, struct buf *out)
{
    switch (origin->from) {
    case ARG_FROM_DEFAULT:
    case ARG_FROM_FLAG:
        buf_printf(out, "--%s", row->name);
        break;
    case ARG_FROM_ENV:
        args_put_env_name(set, row, out);
        break;
    case ARG_FROM_FILE:
        args_put_place(file, origin->line, out);
        buf_put_text(out, row->name);
        break;
    }
}

/* "DKVD_DATA_DRI" with prefix "DKVD_" is "data-dri". False: too long for any option. */
static bool args_unmake_env_name(struct slice variable, size_t prefix, char *name, size_t max)
{
    if (variable.len - prefix >= max) {
        return false;
    }
    for (size_t i = prefix; i < variable.len; i++) {
        uint8_t c = variable.data[i];
        *name++ = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    *name = '\0';
    return true;
}

static void args_put_stranger(const struct arg_set *set, struct slice variable, const char *name,
                              struct buf *out)
{
    const struct arg *near = args_nearest(set, slice_str(name));
    text_escape(variable, ARGS_SHOWN_MAX, out);
    buf_put_text(out, ": unknown variable");
    if (near != NULL && !near->no_env) {
        buf_put_text(out, "; did you mean ");
        args_put_env_name(set, near, out);
        buf_put_u8(out, '?');
    }
    buf_put_u8(out, '\n');
}

void args_put_strangers(const struct arg_set *set, size_t max, struct buf *out)
{
    struct slice prefix = slice_str(set->env_prefix);
    size_t found = 0;
    for (char **e = environ; e != NULL && *e != NULL && found < max; e++) {
        struct slice variable = slice_of(*e, strcspn(*e, "="));
        char name[2 * ARGS_NAME_MAX] = "";
        if (!slice_has_prefix(variable, prefix)) {
            continue;
        }
        bool short_enough = args_unmake_env_name(variable, prefix.len, name, sizeof name);
        const struct arg *row = short_enough ? args_find(set, slice_str(name)) : NULL;
        if (row == NULL || row->no_env) {
            args_put_stranger(set, variable, name, out);
            found++;
        }
    }
}

/* "-t, --timeout D"; rows without a letter keep its place. */
static int args_usage(const struct arg *row, char *out, size_t max)
{
    char letter[] = "    ";
    if (row->letter != '\0') {
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    }
    bool valued = row->kind != ARG_SWITCH && row->value != NULL;
    int len =
        snprintf(out, max, "%s--%s%s%s", letter, row->name, valued ? " " : "", valued ? row->value : "");
    ensure(len > 0);
    return (size_t)len < max ? len : (int)max - 1;
}

void args_help(const struct arg_set *set, struct buf *out)
{
    char usage[3 * ARGS_NAME_MAX];
    int width = 0;
    for (size_t i = 0; i < set->n; i++) {
        int len = args_usage(&set->rows[i], usage, sizeof usage);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < set->n; i++) {
        const struct arg *row = &set->rows[i];
        args_usage(row, usage, sizeof usage);
        buf_printf(out, "  %-*s  %s", width, usage, row->help);
        if (row->preset != NULL) {
            buf_printf(out, " [%s]", row->preset);
        }
        buf_put_u8(out, '\n');
    }
}

/* In the largest unit that divides it. */
static void args_put_duration(uint64_t ms, struct buf *out)
{
    bool hours = ms % 3600000 == 0;
    bool minutes = ms % 60000 == 0;
    bool seconds = ms % 1000 == 0;
    uint64_t unit = hours ? 3600000 : minutes ? 60000 : seconds ? 1000 : 1;
    if (ms == 0) {
        buf_put_text(out, "0");
        return;
    }
    buf_printf(out, "%llu%s", (unsigned long long)(ms / unit),
               hours     ? "h"
               : minutes ? "m"
               : seconds ? "s"
                         : "ms");
}

static void args_put_size(uint64_t bytes, struct buf *out)
{
    static const char *const units[] = {"", "K", "M", "G"};
    unsigned unit = 0;
    while (unit < 3 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buf_printf(out, "%llu%s", (unsigned long long)bytes, units[unit]);
}

void args_put_value(const struct arg *row, struct buf *out)
{
    switch (row->kind) {
    case ARG_SWITCH:
        buf_put_text(out, *row->on ? "true" : "false");
        break;
    case ARG_TEXT:
        buf_put_text(out, *row->text != NULL ? *row->text : "");
        break;
    case ARG_U64:
        buf_printf(out, "%llu", (unsigned long long)*row->number);
        break;
    case ARG_DURATION:
        args_put_duration(*row->number, out);
        break;
    case ARG_SIZE:
        args_put_size(*row->number, out);
        break;
    }
}

void args_put_file(const struct arg_set *set, struct buf *out)
{
    struct buf value = {0};
    for (size_t i = 0; i < set->n; i++) {
        const struct arg *row = &set->rows[i];
        if (!row->no_file && (row->kind != ARG_TEXT || *row->text != NULL)) {
            buf_reset(&value);
            args_put_value(row, &value);
            conf_put(row->name, buf_slice(&value), out);
        }
    }
    buf_fini(&value);
}
