/* What the programs that check the host's C without Python count. */
#ifndef PP_TESTS_CHECK_H
#define PP_TESTS_CHECK_H

#include <stdio.h>

extern int checks, failed;

#define CHECK(what)                                           \
    do {                                                      \
        checks++;                                             \
        if (!(what)) {                                        \
            failed++;                                         \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
        }                                                     \
    } while (0)

#endif
