/* paho.mqtt.c as distributions build it books every allocation, every function entered and every
 * protocol event for its own debugging; that is most of the cost of a message. The linker leads
 * these calls here instead (setup.py). */
#include <stddef.h>
#include <stdlib.h>

#define UNUSED __attribute__((unused))

void *__wrap_mymalloc(char *file, int line, size_t size);
void *__wrap_myrealloc(char *file, int line, void *p, size_t size);
void __wrap_myfree(char *file, int line, void *p);
void __wrap_StackTrace_entry(const char *name, int line, int level);
void __wrap_StackTrace_exit(const char *name, int line, void *value, int level);
void __wrap_Log(int level, int number, const char *format, ...);

void *__wrap_mymalloc(UNUSED char *file, UNUSED int line, size_t size) { return malloc(size); }

void *__wrap_myrealloc(UNUSED char *file, UNUSED int line, void *p, size_t size)
{
    return realloc(p, size);
}

void __wrap_myfree(UNUSED char *file, UNUSED int line, void *p) { free(p); }

void __wrap_StackTrace_entry(UNUSED const char *name, UNUSED int line, UNUSED int level) {}

void __wrap_StackTrace_exit(UNUSED const char *name, UNUSED int line, UNUSED void *value,
                            UNUSED int level)
{
}

void __wrap_Log(UNUSED int level, UNUSED int number, UNUSED const char *format, ...) {}
