/* config.c - fuzz target: settings files, and the texts in them as numbers.
 *
 * Input: the file. Each setting that is read is written again and must then be read the same; what is refused
 * is refused in one printable line, and nothing is read behind it. Each value goes through every parser of
 * values. */
#include "base/conf.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

static void config_try_address(struct slice value)
{
    struct address a;
    struct address again;
    struct buf text = {0};
    if (text_parse_address(value, &a) == DKV_OK) {
        ensure(a.port > 0);
        ensure(strnlen(a.host, sizeof a.host) <= ADDRESS_MAX);
        (void)text_is_loopback(&a);
        text_format_address(&a, &text);
        ensure(text_parse_address(buf_slice(&text), &again) == DKV_OK);
        ensure(strcmp(a.host, again.host) == 0 && a.port == again.port);
    }
    buf_fini(&text);
}

static void config_try_bytes(struct slice value)
{
    struct buf bytes = {0};
    struct buf text = {0};
    if (text_parse_hex(value, &bytes) == DKV_OK) {
        ensure(2 * bytes.len == value.len);
    }
    buf_reset(&bytes);
    if (text_parse_base64(value, &bytes) == DKV_OK) {
        text_put_base64(buf_slice(&bytes), &text);
        ensure(slice_eq(buf_slice(&text), value));
    }
    buf_fini(&bytes);
    buf_fini(&text);
}

static void config_try_value(struct slice value)
{
    uint64_t n = 0;
    enum log_level level;
    struct buf text = {0};
    if (text_parse_u64(value, &n) == DKV_OK) {
        buf_printf(&text, "%llu", (unsigned long long)n);
        ensure(value.data[0] == '0' || slice_eq(buf_slice(&text), value));
    }
    (void)!text_parse_duration(value, &n);
    (void)!text_parse_size(value, &n);
    (void)!log_parse_level(value, &level);
    ensure(!text_is_name(value) || value.len <= NODE_NAME_MAX);
    buf_reset(&text);
    text_escape(value, 16, &text);
    ensure(fuzz_is_printable(buf_slice(&text)));
    ensure(text.len <= 4 * 16 + 3);
    buf_fini(&text);
    config_try_address(value);
    config_try_bytes(value);
}

/* Written again and read again, a setting is the same. */
static void config_try_again(const struct conf *c)
{
    struct conf again;
    struct buf text = {0};
    struct buf why = {0};
    char *key = mem_text(c->key);
    ensure(key != NULL);
    buf_put_text(&text, "\n"); /* only the first line may not begin with a byte order mark */
    conf_put(key, c->value, &text);
    if (text.len <= CONF_LINE_BYTES_MAX) { /* blanks and quotes may make it longer */
        conf_init(&again, buf_slice(&text));
        ensure(conf_next(&again, &why) == DKV_OK);
        ensure(slice_eq(again.key, c->key) && slice_eq(again.value, c->value));
        ensure(conf_next(&again, &why) == DKV_NOT_FOUND);
    }
    mem_free(key);
    buf_fini(&text);
    buf_fini(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct conf c;
    struct buf why = {0};
    dkv_err err = DKV_OK;
    conf_init(&c, text);
    while (err == DKV_OK) {
        unsigned line = c.line;
        err = conf_next(&c, &why);
        ensure(err == DKV_OK || err == DKV_NOT_FOUND || err == DKV_CONFIG);
        ensure(err != DKV_OK || c.line > line);
        ensure(c.line <= size + 1);
        ensure((err == DKV_CONFIG) == (why.len > 0));
        ensure(fuzz_is_printable(buf_slice(&why)));
        if (err == DKV_OK) {
            ensure(c.key.len > 0 && fuzz_is_within(c.key, text) && fuzz_is_within(c.value, text));
            ensure(conf_is_text(c.value));
            config_try_value(c.value);
            config_try_again(&c);
        }
    }
    ensure(err != DKV_CONFIG || conf_next(&c, &why) == DKV_NOT_FOUND);
    buf_fini(&why);
    return 0;
}
