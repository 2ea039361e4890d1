/* local_conf.c - the settings of a local cluster. */
#include "base/mem.h"
#include "base/text.h"
#include "dkvctl/input.h"
#include "dkvctl/local.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCAL_CONF_BYTES_MAX 65536u

/* The numbers of a settings file. */
static const struct {
    const char *name;
    size_t offset;
} local_fields[] = {
    {"nodes", offsetof(struct local, nodes)},         {"shards", offsetof(struct local, shards)},
    {"replicas", offsetof(struct local, replicas)},   {"client-port", offsetof(struct local, client_port)},
    {"peer-port", offsetof(struct local, peer_port)},
};
#define LOCAL_FIELDS (sizeof local_fields / sizeof local_fields[0])

void local_fini(struct local *l)
{
    for (size_t i = 0; i < l->flag_count; i++) {
        mem_free(l->flags[i]);
    }
    l->flag_count = 0;
}

static bool local_ports_fit(uint64_t first, uint64_t nodes)
{
    return first >= 1 && first <= UINT16_MAX && first + nodes - 1 <= UINT16_MAX;
}

dkv_err local_check(const struct local *l, struct buf *why)
{
    if (l->nodes < 1 || l->nodes > NODES_MAX) {
        buf_printf(why, "the number of nodes is 1 to %u", NODES_MAX);
    } else if (l->shards < 1 || l->shards > SHARDS_MAX) {
        buf_printf(why, "the number of shards is 1 to %u", SHARDS_MAX);
    } else if (l->replicas % 2 == 0 || l->replicas > l->nodes || l->replicas > REPLICAS_MAX) {
        buf_printf(why, "the number of replicas is odd, at most %u and not above the number of nodes",
                   REPLICAS_MAX);
    } else if (!local_ports_fit(l->client_port, l->nodes) || !local_ports_fit(l->peer_port, l->nodes)) {
        buf_printf(why, "ports are 1 to %u, one after the other for each node", UINT16_MAX);
    } else if (l->client_port < l->peer_port + l->nodes && l->peer_port < l->client_port + l->nodes) {
        buf_put_text(why, "the client ports and the peer ports overlap");
    } else {
        return DKV_OK;
    }
    return DKV_CONFIG;
}

static dkv_err local_take_line(struct local *l, struct slice line)
{
    const uint8_t *equals = line.len == 0 ? NULL : memchr(line.data, '=', line.len);
    if (equals == NULL) {
        return DKV_CONFIG;
    }
    struct slice name = slice_of(line.data, (size_t)(equals - line.data));
    struct slice value = slice_of(equals + 1, line.len - name.len - 1);
    if (slice_eq(name, slice_str("flag"))) {
        char *flag = l->flag_count == LOCAL_FLAGS_MAX ? NULL : mem_text(value);
        if (flag != NULL) {
            l->flags[l->flag_count++] = flag;
        }
        return flag != NULL ? DKV_OK : DKV_CONFIG;
    }
    for (size_t i = 0; i < LOCAL_FIELDS; i++) {
        if (slice_eq(name, slice_str(local_fields[i].name))) {
            return text_parse_u64(value, (uint64_t *)(void *)((char *)l + local_fields[i].offset));
        }
    }
    return DKV_CONFIG;
}

dkv_err local_parse(struct slice text, struct local *out, struct buf *why)
{
    unsigned number = 0;
    while (text.len > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.data) : text.len;
        number++;
        if (local_take_line(out, slice_of(text.data, len)) != DKV_OK) {
            buf_printf(why, "line %u is no setting", number);
            return DKV_CONFIG;
        }
        len += newline != NULL;
        text = slice_of(text.data + len, text.len - len);
    }
    return local_check(out, why);
}

void local_format(const struct local *l, struct buf *out)
{
    for (size_t i = 0; i < LOCAL_FIELDS; i++) {
        uint64_t v = *(const uint64_t *)(const void *)((const char *)l + local_fields[i].offset);
        buf_printf(out, "%s=%" PRIu64 "\n", local_fields[i].name, v);
    }
    for (size_t i = 0; i < l->flag_count; i++) {
        buf_printf(out, "flag=%s\n", l->flags[i]);
    }
}

static bool local_conf_path(const char *dir, const char *suffix, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/cluster.conf%s", dir, suffix) < PATH_MAX;
}

dkv_err local_load(const char *dir, struct local *out, struct buf *why)
{
    char path[PATH_MAX];
    struct buf text = {0};
    *out = (struct local){0};
    int fd = local_conf_path(dir, "", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || realpath(dir, out->dir) == NULL) {
        bool missing = errno == ENOENT;
        if (fd >= 0) {
            close(fd);
        }
        buf_printf(why, "%s", missing ? "there is no cluster" : strerror(errno));
        return missing ? DKV_NOT_FOUND : DKV_IO;
    }
    dkv_err err = input_read_all(fd, LOCAL_CONF_BYTES_MAX, &text);
    close(fd);
    if (err == DKV_OK) {
        err = local_parse(buf_slice(&text), out, why);
    } else {
        buf_put_text(why, err_text(err));
    }
    buf_fini(&text);
    return err;
}

static bool local_write(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);
        if (n < 0) {
            return false;
        }
        text = slice_of(text.data + n, text.len - (size_t)n);
    }
    return fsync(fd) == 0;
}

dkv_err local_save(const char *dir, struct local *l, struct buf *why)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    struct buf text = {0};
    bool ok = (mkdir(dir, 0700) == 0 || errno == EEXIST) && realpath(dir, l->dir) != NULL &&
              local_conf_path(l->dir, "", path) && local_conf_path(l->dir, ".new", fresh);
    int fd = ok ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    local_format(l, &text);
    ok = fd >= 0 && buf_ok(&text) && local_write(fd, buf_slice(&text));
    ok = ok && rename(fresh, path) == 0;
    if (!ok) {
        buf_put_text(why, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    buf_fini(&text);
    return ok ? DKV_OK : DKV_IO;
}

void local_forget(const struct local *l)
{
    char path[PATH_MAX];
    if (local_conf_path(l->dir, "", path)) {
        unlink(path);
    }
}

unsigned local_find(const struct local *l, const char *name)
{
    uint64_t i = 0;
    if (name[0] != 'n' || name[1] == '0' || text_parse_u64(slice_str(name + 1), &i) != DKV_OK ||
        i > l->nodes) {
        return 0;
    }
    return (unsigned)i;
}
