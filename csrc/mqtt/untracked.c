/* paho.mqtt.c as distributions build it books every allocation, every function entered and every protocol event for its own
 * debugging; that is most of the cost of a message. The linker leads these calls here instead (setup.py). */
#include <stddef.h>
#include <stdlib.h>

void *__wrap_mymalloc(char *file, int line, size_t size);
void *__wrap_myrealloc(char *file, int line, void *p, size_t size);
void __wrap_myfree(char *file, int line, void *p);
void __wrap_StackTrace_entry(const char *name, int line, int level);
void __wrap_StackTrace_exit(const char *name, int line, void *value, int level);
void __wrap_Log(int level, int number, const char *format, ...);

void *__wrap_mymalloc(char *file, int line, size_t size)
{
    (void)file, (void)line;
    return malloc(size);
}

void *__wrap_myrealloc(char *file, int line, void *p, size_t size)
{
    (void)file, (void)line;
    return realloc(p, size);
}

void __wrap_myfree(char *file, int line, void *p)
{
    (void)file, (void)line;
    free(p);
}

void __wrap_StackTrace_entry(const char *name, int line, int level)
{
    (void)name, (void)line, (void)level;
}

void __wrap_StackTrace_exit(const char *name, int line, void *value, int level)
{
    (void)name, (void)line, (void)value, (void)level;
}

void __wrap_Log(int level, int number, const char *format, ...)
{
    (void)level, (void)number, (void)format;
}
