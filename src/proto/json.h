/* json.h - the one door to jansson: JSON documents for people and scripts, compact, UTF-8, fields in order.
 *
 * A builder takes ownership of what is put into it, so fill a container before putting it into another.
 * Running out of memory shows once, at json_dump(). Numbers go up to JSON_NUMBER_MAX, because jansson's are
 * signed; ids, terms and counts of a cluster do not get there. */
#ifndef DKV_PROTO_JSON_H
#define DKV_PROTO_JSON_H

#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX  64u
#define JSON_NUMBER_MAX ((uint64_t)INT64_MAX)

struct json; /* one value, opaque; NULL anywhere means: lost, remembered by the parent */

/* New values, to be put into a container or dumped. (Bare "json_object" and so on are jansson's own symbols.)
 */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_number(uint64_t v); /* over JSON_NUMBER_MAX: NULL */
struct json *json_new_bool(bool v);
struct json *json_new_null(void);

/* A string when s is UTF-8, else {"base64":"..."}, as in all JSON of dkv. */
struct json *json_new_bytes(struct slice s);

void json_set(struct json *object, const char *name, struct json *value); /* takes value */
void json_add(struct json *array, struct json *value);                    /* takes value */

/* Write root compactly, without a newline, and free it. DKV_NO_MEMORY: something was lost on the way, and out
 * is as it was. */
dkv_err json_dump(struct json *root, struct buf *out) MUST_CHECK; /* takes root */

/* Free a document that is not dumped; NULL is fine. */
void json_free(struct json *root);

/* Parse one whole document, at most JSON_DEPTH_MAX deep. DKV_MALFORMED: why gets line and reason; doubled
 * names, numbers beyond 64 bits signed, invalid UTF-8 and lone surrogates are refused too. DKV_NO_MEMORY; but
 * a string that could not be copied for lack of memory looks malformed to jansson. Free with json_free(). */
dkv_err json_parse(struct slice in, struct json **out, struct buf *why) MUST_CHECK;

/* Access: NULL, 0 or false when of another type; root may be NULL. */
const struct json *json_get(const struct json *object, const char *name);
size_t json_len(const struct json *array);
const struct json *json_at(const struct json *array, size_t i);
bool json_get_number(const struct json *v, uint64_t *out);
/* A string's bytes, or the bytes of {"base64":"..."} decoded into scratch, which is emptied first. */
bool json_get_bytes(const struct json *v, struct slice *out, struct buf *scratch);

#endif
