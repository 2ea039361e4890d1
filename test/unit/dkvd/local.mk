# test/unit/dkvd/local.mk - what this folder builds. Nothing yet.
