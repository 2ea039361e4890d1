/* args.c - one pass over the defaults, the file, the environment and the flags each: the last one wins. */
#include "base/args.h"

#include "base/args_internal.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/text.h"

#include <stdlib.h>

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

/* What a parse works on. */
struct args_walk {
    const struct arg_set *set;
    struct arg_input *in;
    struct buf *why;
    int next; /* the next element of argv to look at */
};

/* Store a value that came from there. */
static dkv_err args_take(struct args_walk *w, const struct arg *row, const struct arg_origin *origin,
                         const char *text)
{
    dkv_err err = args_store(row, text);
    if (err != DKV_OK) {
        args_put_origin(w->set, row, origin, w->in->file, w->why);
        buf_put_text(w->why, ": \"");
        text_escape(slice_str(text), ARGS_SHOWN_MAX, w->why);
        buf_printf(w->why, "\" is not %s", args_allowed(row->kind));
    } else if (w->in->origins != NULL) {
        w->in->origins[row - w->set->rows] = *origin;
    }
    return err;
}

static void args_take_presets(struct args_walk *w)
{
    const struct arg_set *set = w->set;
    const struct arg_origin origin = {.from = ARG_FROM_DEFAULT};
    for (size_t i = 0; i < set->n; i++) {
        ensure(strlen(set->rows[i].name) <= ARGS_NAME_MAX);
        if (w->in->origins != NULL) {
            w->in->origins[i] = origin;
        }
        if (set->rows[i].preset != NULL) {
            dkv_err err = args_take(w, &set->rows[i], &origin, set->rows[i].preset);
            ensure(err == DKV_OK);
        }
    }
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static dkv_err args_refuse_key(struct args_walk *w, const struct conf *c, const struct arg *row)
{
    const struct arg *near = args_nearest(w->set, c->key);
    args_put_place(w->in->file, c->line, w->why);
    text_escape(c->key, ARGS_SHOWN_MAX, w->why);
    if (row != NULL) {
        buf_printf(w->why, ": not allowed in a file, only as --%s", row->name);
    } else if (near != NULL && !near->no_file) {
        buf_printf(w->why, ": unknown key; did you mean %s?", near->name);
    } else {
        buf_put_text(w->why, ": unknown key; allowed are the names that --help lists");
    }
    return DKV_CONFIG;
}

static dkv_err args_take_setting(struct args_walk *w, const struct conf *c)
{
    struct arg_file *file = w->in->file;
    const struct arg *row = args_find(w->set, c->key);
    if (row == NULL || row->no_file) {
        return args_refuse_key(w, c, row);
    }
    const struct arg_origin *before = &w->in->origins[row - w->set->rows];
    const struct arg_origin origin = {.from = ARG_FROM_FILE, .line = c->line};
    if (before->from == ARG_FROM_FILE) {
        args_put_origin(w->set, row, &origin, file, w->why);
        buf_printf(w->why, ": set in line %u already; allowed is once", before->line);
        return DKV_CONFIG;
    }
    char *value = file->text + ((const char *)c->value.data - file->text);
    value[c->value.len] = '\0'; /* over a blank, a quote or the newline of a line that has been read */
    return args_take(w, row, &origin, value);
}

static dkv_err args_take_file(struct args_walk *w)
{
    const struct arg_file *file = w->in->file;
    if (file == NULL) {
        return DKV_OK;
    }
    ensure(w->in->origins != NULL);
    struct conf c;
    struct buf wrong = {0};
    conf_init(&c, slice_of(file->text, file->len));
    dkv_err err = conf_next(&c, &wrong);
    while (err == DKV_OK && (err = args_take_setting(w, &c)) == DKV_OK) {
        err = conf_next(&c, &wrong);
    }
    if (wrong.len > 0) {
        args_put_place(file, c.line, w->why);
        buf_put(w->why, buf_slice(&wrong));
    }
    buf_fini(&wrong);
    return err == DKV_NOT_FOUND ? DKV_OK : err;
}

/* ---- the environment ---------------------------------------------------------------------------------- */

static dkv_err args_take_env(struct args_walk *w)
{
    const struct arg_set *set = w->set;
    const struct arg_origin origin = {.from = ARG_FROM_ENV};
    struct buf variable = {0};
    dkv_err err = DKV_OK;
    for (size_t i = 0; set->env_prefix != NULL && i < set->n && err == DKV_OK; i++) {
        const struct arg *row = &set->rows[i];
        buf_reset(&variable);
        args_put_env_name(set, row, &variable);
        buf_put_u8(&variable, '\0');
        if (!buf_ok(&variable)) {
            err = DKV_NO_MEMORY;
            break;
        }
        const char *text = row->no_env ? NULL : getenv((const char *)variable.data);
        err = text == NULL ? DKV_OK : args_take(w, row, &origin, text);
    }
    buf_fini(&variable);
    return err;
}

/* ---- the flags ---------------------------------------------------------------------------------------- */

static dkv_err args_refuse_unknown(const struct args_walk *w, const char *flag, struct slice name)
{
    text_escape(slice_of(flag, (size_t)((const char *)name.data - flag) + name.len), ARGS_SHOWN_MAX, w->why);
    const struct arg *near = args_nearest(w->set, name);
    if (near != NULL) {
        buf_printf(w->why, ": unknown flag; did you mean --%s?", near->name);
    } else {
        buf_put_text(w->why, ": unknown flag; --help lists them all");
    }
    return DKV_CONFIG;
}

/* The value of row: what is glued to the flag, or else the next element. */
static dkv_err args_take_value(struct args_walk *w, const struct arg *row, const char *glued)
{
    const struct arg_origin origin = {.from = ARG_FROM_FLAG};
    if (row->kind == ARG_SWITCH && glued == NULL) {
        return args_take(w, row, &origin, "1");
    }
    if (row->kind == ARG_SWITCH) {
        buf_printf(w->why, "--%s: takes no value", row->name);
        return DKV_CONFIG;
    }
    if (glued == NULL && w->next == w->in->argc) {
        buf_printf(w->why, "--%s: needs a value, %s", row->name, args_allowed(row->kind));
        return DKV_CONFIG;
    }
    return args_take(w, row, &origin, glued != NULL ? glued : w->in->argv[w->next++]);
}

/* --name, --name=value, --name value */
static dkv_err args_take_long(struct args_walk *w, const char *flag)
{
    const char *equals = strchr(flag, '=');
    struct slice name = slice_of(flag + 2, equals != NULL ? (size_t)(equals - flag - 2) : strlen(flag + 2));
    const struct arg *row = args_find(w->set, name);
    if (row == NULL) {
        return args_refuse_unknown(w, flag, name);
    }
    return args_take_value(w, row, equals != NULL ? equals + 1 : NULL);
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
            buf_put_u8(w->why, '-');
            text_escape(slice_of(c, 1), ARGS_SHOWN_MAX, w->why);
            buf_put_text(w->why, ": unknown flag; --help lists them all");
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
    struct args_walk walk = {.set = set, .in = in, .why = why, .next = 1};
    in->operands = 0;
    args_take_presets(&walk);
    dkv_err err = args_take_file(&walk);
    if (err == DKV_OK) {
        err = args_take_env(&walk);
    }
    return err == DKV_OK ? args_take_flags(&walk) : err;
}
