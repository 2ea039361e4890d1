/* args.c - one pass over the defaults, one over the environment, one over the flags: the last one wins. */
#include "base/args.h"

#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define ARGS_NAME_MAX  48 /* of a flag, without "--" */
#define ARGS_SHOWN_MAX 64 /* bytes of a user's text that a message repeats */

static dkv_err args_store_switch(const struct arg *row, struct slice value)
{
    bool on = slice_eq(value, slice_str("1")) || slice_eq(value, slice_str("true"));
    if (!on && !slice_eq(value, slice_str("0")) && !slice_eq(value, slice_str("false"))) {
        return DKV_CONFIG;
    }
    *row->on = on;
    return DKV_OK;
}

static dkv_err args_store(const struct arg *row, const char *text)
{
    struct slice value = slice_str(text);
    switch (row->kind) {
    case ARG_SWITCH:
        return args_store_switch(row, value);
    case ARG_TEXT:
        *row->text = text;
        return DKV_OK;
    case ARG_U64:
        return text_parse_u64(value, row->number);
    case ARG_DURATION:
        return text_parse_duration(value, row->number);
    case ARG_SIZE:
        return text_parse_size(value, row->number);
    }
    return DKV_CONFIG;
}

static const char *args_allowed(enum arg_kind kind)
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

/* Store a value that came from source, "--name" or the name of a variable. */
static dkv_err args_take(const struct arg *row, const char *source, const char *text, struct buf *why)
{
    dkv_err err = args_store(row, text);
    if (err != DKV_OK) {
        buf_printf(why, "%s: \"", source);
        text_escape(slice_str(text), ARGS_SHOWN_MAX, why);
        buf_printf(why, "\" is not %s", args_allowed(row->kind));
    }
    return err;
}

static void args_take_presets(const struct arg_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        ensure(strlen(set->rows[i].name) <= ARGS_NAME_MAX);
        if (set->rows[i].preset != NULL) {
            dkv_err err = args_store(&set->rows[i], set->rows[i].preset);
            ensure(err == DKV_OK);
        }
    }
}

/* "DKVD_" and "data-dir" make "DKVD_DATA_DIR". */
static void args_env_name(const char *prefix, const char *name, char *out, size_t max)
{
    int len = snprintf(out, max, "%s%s", prefix, name);
    ensure(len > 0);
    ensure((size_t)len < max);
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}

static dkv_err args_take_env(const struct arg_set *set, struct buf *why)
{
    for (size_t i = 0; set->env_prefix != NULL && i < set->n; i++) {
        const struct arg *row = &set->rows[i];
        char variable[2 * ARGS_NAME_MAX];
        args_env_name(set->env_prefix, row->name, variable, sizeof variable);
        const char *text = row->no_env ? NULL : getenv(variable);
        dkv_err err = text == NULL ? DKV_OK : args_take(row, variable, text, why);
        if (err != DKV_OK) {
            return err;
        }
    }
    return DKV_OK;
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

/* The row with the most similar name; NULL: nothing is near enough to be meant. */
static const struct arg *args_nearest(const struct arg_set *set, struct slice name)
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

static dkv_err args_refuse_unknown(const struct arg_set *set, const char *flag, struct slice name,
                                   struct buf *why)
{
    buf_put_text(why, "unknown flag ");
    text_escape(slice_of(flag, (size_t)((const char *)name.data - flag) + name.len), ARGS_SHOWN_MAX, why);
    const struct arg *near = args_nearest(set, name);
    if (near != NULL) {
        buf_printf(why, "; did you mean --%s?", near->name);
    } else {
        buf_put_text(why, "; --help lists them all");
    }
    return DKV_CONFIG;
}

/* Where a parse stands in argv. */
struct args_walk {
    const struct arg_set *set;
    struct arg_input *in;
    struct buf *why;
    int next; /* the next element to look at */
};

/* The value of row: what is glued to the flag, or else the next element. */
static dkv_err args_take_value(struct args_walk *w, const struct arg *row, const char *glued)
{
    char source[ARGS_NAME_MAX + 3];
    snprintf(source, sizeof source, "--%s", row->name);
    if (row->kind == ARG_SWITCH && glued == NULL) {
        *row->on = true;
        return DKV_OK;
    }
    if (row->kind == ARG_SWITCH) {
        buf_printf(w->why, "%s takes no value", source);
        return DKV_CONFIG;
    }
    if (glued == NULL && w->next == w->in->argc) {
        buf_printf(w->why, "%s needs a value: %s", source, args_allowed(row->kind));
        return DKV_CONFIG;
    }
    return args_take(row, source, glued != NULL ? glued : w->in->argv[w->next++], w->why);
}

/* --name, --name=value, --name value */
static dkv_err args_take_long(struct args_walk *w, const char *flag)
{
    const char *equals = strchr(flag, '=');
    struct slice name = slice_of(flag + 2, equals != NULL ? (size_t)(equals - flag - 2) : strlen(flag + 2));
    for (size_t i = 0; i < w->set->n; i++) {
        if (slice_eq(name, slice_str(w->set->rows[i].name))) {
            return args_take_value(w, &w->set->rows[i], equals != NULL ? equals + 1 : NULL);
        }
    }
    return args_refuse_unknown(w->set, flag, name, w->why);
}

static const struct arg *args_find_letter(const struct arg_set *set, char letter)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->rows[i].letter == letter) {
            return &set->rows[i];
        }
    }
    return NULL;
}

/* -v, -vq, -t value, -tvalue */
static dkv_err args_take_short(struct args_walk *w, const char *flag)
{
    for (const char *c = flag + 1; *c != '\0'; c++) {
        const struct arg *row = args_find_letter(w->set, *c);
        if (row == NULL) {
            buf_put_text(w->why, "unknown flag -");
            text_escape(slice_of(c, 1), ARGS_SHOWN_MAX, w->why);
            buf_put_text(w->why, "; --help lists them all");
            return DKV_CONFIG;
        }
        bool is_switch = row->kind == ARG_SWITCH;
        dkv_err err = args_take_value(w, row, is_switch || c[1] == '\0' ? NULL : c + 1);
        if (err != DKV_OK || !is_switch) {
            return err;
        }
    }
    return DKV_OK;
}

static dkv_err args_take_flags(struct args_walk *w)
{
    struct arg_input *in = w->in;
    bool flags_over = false;
    dkv_err err = DKV_OK;
    while (w->next < in->argc && err == DKV_OK) {
        char *element = in->argv[w->next++];
        if (!flags_over && strcmp(element, "--") == 0) {
            flags_over = true;
        } else if (flags_over || element[0] != '-' || element[1] == '\0') {
            in->argv[1 + in->operands++] = element; /* never ahead of next */
            flags_over = flags_over || in->stop_at_operand;
        } else {
            err = element[1] == '-' ? args_take_long(w, element) : args_take_short(w, element);
        }
    }
    return err;
}

dkv_err args_parse(const struct arg_set *set, struct arg_input *in, struct buf *why)
{
    in->operands = 0;
    args_take_presets(set);
    dkv_err err = args_take_env(set, why);
    if (err == DKV_OK) {
        struct args_walk walk = {.set = set, .in = in, .why = why, .next = 1};
        err = args_take_flags(&walk);
    }
    return err;
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
