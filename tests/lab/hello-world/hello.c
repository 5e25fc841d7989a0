/* What the lab's hello-world image runs: a greeting, and exit code 0. */
#include <stdio.h>

int main(void)
{
    return puts("\nHello from Longshore's hello-world!\n"
                "This message shows that the engine found no local image, pulled this one,\n"
                "made a container of it and ran it until it was done.\n") < 0;
}
