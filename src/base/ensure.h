/* ensure.h - what only a bug can break.
 *
 * ensure() stays in release builds: a replica that has lost an invariant must stop, not guess. ensure_slow()
 * is for checks dearer than O(1) and exists in debug builds only, so neither may have side effects. Bytes
 * from outside (network, disk, user, configuration) are refused with an error, never ensured. */
#ifndef DKV_BASE_ENSURE_H
#define DKV_BASE_ENSURE_H

#define ensure(condition)                                                                                    \
    (__builtin_expect(!(condition), 0) ? ensure_failed(#condition, __FILE__, __LINE__) : (void)0)

#ifdef DKV_DEBUG
#define ensure_slow(condition) ensure(condition)
#else
#define ensure_slow(condition) ((void)sizeof(condition))
#endif

#define MUST_CHECK __attribute__((warn_unused_result))

/* The owner of an embedded member: CONTAINER(req, struct get, read). */
#define CONTAINER(member_ptr, type, member) ((type *)(void *)((char *)(member_ptr)-offsetof(type, member)))

#define BIT(n) (1u << (n))

/* Print what broke and where on stderr, then abort. */
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#endif
