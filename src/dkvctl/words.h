/* words.h - one line of commands, cut into words as a shell would.
 *
 *   put greeting "hello world"      'single quotes keep everything', a # in front makes the line a comment
 *
 * Within double quotes \n \t \r \xNN are what they say; elsewhere a backslash keeps the next byte as it is.
 */
#ifndef DKV_DKVCTL_WORDS_H
#define DKV_DKVCTL_WORDS_H

#include "base/buf.h"
#include "base/err.h"

#define WORDS_MAX      4096
#define WORDS_LINE_MAX (8u << 20)

struct words {
    char **argv; /* owned; argv[0] is "dkvctl", argv[argc] NULL */
    int argc;
    struct buf text; /* private: the words, NUL behind each */
};

/* DKV_CONFIG: a quote without its end, a NUL byte or too many words; why says which. Finish it in any case.
 */
dkv_err words_split(struct slice line, struct words *out, struct buf *why) MUST_CHECK;
void words_fini(struct words *w);

#endif
