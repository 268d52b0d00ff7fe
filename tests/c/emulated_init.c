/* First process of the emulated machine (packaging/emulate.sh): runs /lanes with its output on the
 * serial line. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    mknod("/dev/ttyS0", S_IFCHR | 0600, makedev(4, 64));
    int serial = open("/dev/ttyS0", O_RDWR);
    int status = 0;
    dup2(serial, 1);
    dup2(serial, 2);
    pid_t child = fork();
    if (child == 0) {
        execl("/lanes", "lanes", (char *)0);
        _exit(99);
    }
    waitpid(child, &status, 0);
    printf("emulated: exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
    for (;;)
        pause();
}
